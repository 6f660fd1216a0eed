/** Drills with the real command: the copy signs, whatever the scheme; what must fail fails, and the ledger says how far it came. */
import { createECDH } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Secret, bytesEqual } from '@keepset/bytes';
import {
  drillOpening,
  drillRequest,
  joinGroup,
  joinKeygen,
  runDrill,
  runKeygen,
  type GroupPrompts,
  type Scheme,
} from '@keepset/ceremony';
import { printInvite } from '@keepset/transport';
import { startServer, type RunningServer } from '@keepset/server';
import { makeBackup, modernDialect } from '../../packages/places/test/backup-maker.ts';
import { newDevice, type TestDevice } from '../support/device.ts';
import { otherMedium, temporaryFolder } from '../support/folders.ts';
import { reading, scan, typedFrom } from '../support/media.ts';
import { bin, errorOf, keepset, keepsetJson, onTerminal, start, untilSaid } from '../support/processes.ts';
import { serverOptions } from '../support/server.ts';

// Many real processes: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const elsewhere = otherMedium();
afterAll(() => rmSync(elsewhere, { recursive: true, force: true }));
const options = serverOptions();
let server: RunningServer;
let home: string;
let phone: readonly string[];

type Json = Record<string, unknown>;
const succeed = async (args: readonly string[], who = phone): Promise<Json> => {
  const { code, json, stderr } = await keepsetJson([...args, ...who]);
  expect({ code, json, stderr }).toMatchObject({ code: 0 });
  return json;
};
const failure = async (
  args: readonly string[],
): Promise<{ code: string; message: string; hint?: string }> => {
  const ended = await keepsetJson([...args, ...phone]);
  expect(ended.code, JSON.stringify(ended.json)).not.toBe(0);
  return errorOf(ended);
};
const proofOf = async (kit: string): Promise<string | undefined> => {
  const { keys } = await succeed(['health']);
  return (keys as { copies: { id: string; proof: string }[] }[])
    .flatMap(({ copies }) => copies)
    .find(({ id }) => id === kit)?.proof;
};
interface Print {
  readonly kit: string;
  readonly codeSheet: string;
  readonly pictures: readonly string[];
}
interface Made {
  readonly folder: string;
  readonly kit: string;
  readonly code: string;
}
const backup = async (keyId: string): Promise<Made> => {
  const folder = temporaryFolder();
  const made = await succeed(['backup', folder, '--cloud', 'icloud', '--show-code', '--key', keyId]);
  return { folder, kit: made['kit'] as string, code: made['code'] as string };
};
const newKey = async (...args: string[]): Promise<string> =>
  (await succeed(['keygen', ...args]))['keyId'] as string;

beforeAll(async () => {
  server = await startServer(options);
  home = join(temporaryFolder(), 'phone');
  phone = ['--home', home];
  await succeed(['enroll', server.invite()]);
});
afterAll(() => server.close());

describe('keepset drill', () => {
  it.each(['ed25519', 'schnorr-secp256k1', 'ecdsa-secp256k1', 'ecdsa-p256', 'ecdh-p256'])(
    'works with the share from the copy (%s)',
    async (scheme) => {
      const keyId = await newKey('--scheme', scheme);
      const { folder, kit, code } = await backup(keyId);
      expect(await proofOf(kit)).toBe('read back');
      const offline = await succeed(['drill', folder, '--code', code, '--offline']);
      expect(offline).toMatchObject({ keyId, kit, proof: 'decrypted' });
      expect(await proofOf(kit)).toBe('decrypted');
      expect(await succeed(['drill', '--copy', kit.slice(0, 8), '--code', code])).toMatchObject({
        keyId,
        kit,
        proof: 'recovery proven',
      });
      expect(await proofOf(kit)).toBe('recovery proven');
    },
  );

  it('works from a stick, and proves it only once the stick was unplugged', async () => {
    const keyId = await newKey();
    const root = join(elsewhere, 'stick');
    mkdirSync(root);
    const { kit, code } = await succeed(['usb', 'create', root, '--show-code', '--key', keyId]);
    await succeed(['drill', root, '--code', code as string]);
    expect(await proofOf(kit as string)).toBe('written');
    await succeed(['usb', 'verify', root, '--replugged']);
    expect(await proofOf(kit as string)).toBe('recovery proven');
    const copyOf = async (): Promise<Json | undefined> =>
      ((await succeed(['health', '--key', keyId]))['keys'] as { copies: Json[] }[])[0]?.copies.find(
        ({ id }) => id === kit,
      );
    expect(await copyOf()).toMatchObject({ domain: `location:medium-${kit as string}` });
    // An image of it on the device's own disk is no other place, and a file from it alone is no copy of the ledger.
    const image = join(home, 'image');
    cpSync(root, image, { recursive: true });
    const slot =
      readdirSync(image, { recursive: true })
        .map(String)
        .find((name) => name.endsWith('.enc')) ?? '';
    const file = join(temporaryFolder(), 'share.age');
    cpSync(join(image, slot), file);
    expect(await succeed(['drill', file, '--code', code as string])).toMatchObject({ kit: null });
    await succeed(['drill', image, '--code', code as string]);
    expect(await copyOf()).toMatchObject({ domain: 'device:phone', path: image });
    await succeed(['drill', root, '--code', code as string]);
    expect(await copyOf()).toMatchObject({ domain: `location:medium-${kit as string}` });
  });

  it('works from pictures of a printed kit, with the code typed or scanned', async () => {
    const keyId = await newKey();
    const print = async (): Promise<Print> => {
      const { kit, codeSheet, shareSheets } = await succeed([
        'kit',
        '--out',
        temporaryFolder(),
        '--key',
        keyId,
      ]);
      const pictures = await scan(shareSheets as string, join(temporaryFolder(), 'share'), '-gray');
      return { kit: kit as string, codeSheet: codeSheet as string, pictures };
    };
    const [one, two] = [await print(), await print()];
    const typed = await typedFrom(one.codeSheet);
    const wrong = await failure(['drill', ...one.pictures, '--code', await typedFrom(two.codeSheet)]);
    expect(wrong.code).toBe('place/locked');
    expect(await proofOf(one.kit)).toBe('written');
    expect(await succeed(['drill', ...one.pictures, '--code', typed])).toMatchObject({
      kit: one.kit,
      proof: 'recovery proven',
    });
    expect(await proofOf(one.kit)).toBe('recovery proven');
    expect(await proofOf(two.kit)).toBe('written');
    const scanned = await scan(two.codeSheet, join(temporaryFolder(), 'code'), '-gray');
    await succeed(['drill', ...two.pictures, ...scanned, '--copy', two.kit.slice(0, 8)]);
    expect(await proofOf(two.kit)).toBe('recovery proven');
    // What is printed stays of its epoch.
    await succeed(['refresh', '--key', keyId]);
    expect((await failure(['drill', ...one.pictures, '--code', typed])).code).toBe('place/stale');
  });

  it('works from a Finder backup: its password is asked for once, the code until it fits', async () => {
    const keyId = await newKey();
    const [one, two] = [await backup(keyId), await backup(keyId)];
    const root = join(elsewhere, 'finder');
    const domain = 'AppDomain-org.example.keepset';
    makeBackup(
      root,
      'finder',
      modernDialect,
      [one, two].map(({ folder, kit }) => {
        const inside = join(folder, `keepset-${kit}`);
        const [name = ''] = readdirSync(inside);
        return { domain, path: `Documents/${kit}.age`, content: readFileSync(join(inside, name)) };
      }),
    );
    const password = join(temporaryFolder(), 'password');
    writeFileSync(password, 'finder\n');
    const given = ['--code', one.code, '--copy-passphrase-file', password];
    await reading(root, async () => {
      const before = await keepset(['drill', root, ...given, ...phone]);
      expect(before.stdout).toContain('Recovery proven');
      expect(before.stdout).toContain(`not in the ledger yet: keepset finder-backup add ${root}`);
      // The same file in the folder was not tried.
      expect(await proofOf(one.kit)).toBe('read back');
      const added = await succeed(['finder-backup', 'add', root, ...given]);
      expect(added['left']).toEqual([
        { domain, path: `Documents/${two.kit}.age`, reason: 'this code does not open it' },
      ]);
      const kit = added['kit'] as string;
      expect(await proofOf(kit)).toBe('decrypted');
      const drilled = await onTerminal(
        ['drill', '--copy', kit.slice(0, 8), '--code', '-', ...phone],
        [
          ['code (attempt 1 of 3)', `${two.code}\n`],
          ['backup (attempt 1 of 3)', 'guess\n'],
          ['backup (attempt 2 of 3)', 'finder\n'],
          ['code (attempt 2 of 3)', `${one.code}\n`],
        ],
      );
      expect(drilled, drilled.stdout).toMatchObject({ code: 0 });
      expect(drilled.stdout).toContain('This code does not open this copy.');
      expect(await proofOf(kit)).toBe('recovery proven');
      expect(await proofOf(one.kit)).toBe('read back');
    });
  });

  it('leaves nothing behind but a date', async () => {
    const keyId = await newKey();
    const { folder, code } = await backup(keyId);
    const seen = (root: string): string[] =>
      readdirSync(root, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
        .filter((path) => !path.endsWith('log-head.cbor') && !path.includes('usb-ledger'))
        .map((path) => `${path} ${readFileSync(path).toString('base64')}`)
        .toSorted();
    const before = [seen(home), seen(folder)];
    await succeed(['drill', folder, '--code', code]);
    expect([seen(home), seen(folder)]).toEqual(before);
  });

  it('says what is wrong with a wrong code, and with a copy that is gone or damaged', async () => {
    const keyId = await newKey();
    const [one, two] = [await backup(keyId), await backup(keyId)];
    expect(await failure(['drill', one.folder, '--code', two.code])).toMatchObject({
      code: 'place/locked',
      message: 'This code does not open this copy.',
    });
    expect((await failure(['drill', one.folder])).code).toBe('place/locked');
    expect((await failure(['drill', '--code', one.code])).code).toBe('input/invalid-argument');
    expect((await failure(['drill', '--copy', 'zzzz', '--code', one.code])).code).toBe('place/not-found');
    const inside = join(one.folder, `keepset-${one.kit}`);
    const [name = ''] = readdirSync(inside);
    const bytes = readFileSync(join(inside, name));
    writeFileSync(join(inside, name), bytes.fill(0, bytes.length - 40));
    expect((await failure(['drill', one.folder, '--code', one.code])).code).toBe('place/damaged');
    rmSync(inside, { recursive: true });
    expect((await failure(['drill', one.folder, '--code', one.code])).code).toBe('place/damaged');
    expect(await proofOf(one.kit)).toBe('read back');
  });

  it('fails with a copy of an old epoch, and with one that a newer copy has overtaken', async () => {
    const keyId = await newKey();
    const { folder, kit, code } = await backup(keyId);
    const inside = join(folder, `keepset-${kit}`);
    const [name = ''] = readdirSync(inside);
    const old = join(temporaryFolder(), 'old.age');
    writeFileSync(old, readFileSync(join(inside, name)));
    expect(await succeed(['drill', old, '--code', code, '--offline'])).toMatchObject({ proof: 'decrypted' });
    await succeed(['refresh', '--key', keyId]);
    for (const where of [[], ['--offline']])
      expect(await failure(['drill', old, '--code', code, ...where])).toMatchObject({
        code: 'place/stale',
        message: 'This copy is of epoch 0; the key is at epoch 1.',
      });
    // The code stays the same.
    await succeed(['drill', folder, '--code', code]);
    expect(await proofOf(kit)).toBe('recovery proven');
  });

  it('without its server proves no recovery', async () => {
    const keyId = await newKey();
    const { folder, kit, code } = await backup(keyId);
    const account = join(home, 'account.cbor');
    const bytes = readFileSync(account);
    const text = bytes.toString('latin1');
    const { port } = new URL(server.url);
    writeFileSync(account, Buffer.from(text.replace(`:${port}`, ':' + '1'.repeat(port.length)), 'latin1'));
    try {
      expect((await failure(['drill', folder, '--code', code])).code).toMatch(/^transport\//);
    } finally {
      writeFileSync(account, bytes);
    }
    expect(await proofOf(kit)).toBe('decrypted');
  });

  it('asks for the code three times at most, and counts', async () => {
    const keyId = await newKey();
    const [one, two] = [await backup(keyId), await backup(keyId)];
    const ask = ['drill', one.folder, '--code', '-', ...phone];
    const wrong = [
      ['attempt 1 of 3', `${two.code}\n`],
      ['attempt 2 of 3', `${one.code.slice(0, -1)}\n`],
    ] as const;
    const right = await onTerminal(ask, [...wrong, ['attempt 3 of 3', `${one.code}\n`]]);
    expect(right.stdout).toContain('This code does not open this copy.');
    expect(right.stdout).toContain('a character is missing');
    expect(right.stdout).toContain('Recovery proven');
    expect(right).toMatchObject({ code: 0 });
    const never = await onTerminal(ask, [...wrong, ['attempt 3 of 3', `${two.code}\n`]]);
    expect(never.code).toBe(6);
    expect(never.stdout).not.toContain('attempt 4');
  });
});

describe('a drill', () => {
  let own: TestDevice;
  let laptop: TestDevice;
  beforeAll(async () => {
    own = await newDevice(server.invite());
    const code = await own.device.transport.invite();
    const { server: url, pin } = own.account;
    laptop = await newDevice(
      printInvite({ server: url, code, ...(pin === undefined ? {} : { pin }) }),
      'laptop',
    );
  });
  afterAll(() => {
    own.close();
    laptop.close();
  });

  const quiet: Pick<GroupPrompts, 'compare'> = { compare: () => Promise.resolve() };
  /** Starts on `own`; the code of the other device comes by the promise. */
  const withCode = <T>(
    work: (prompts: GroupPrompts) => Promise<T>,
  ): { code: Promise<string>; done: Promise<T> } => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const announce: GroupPrompts['announce'] = ({ codes }) => resolve(codes[0]?.code ?? '');
    return { code: promise, done: work({ announce, ...quiet }) };
  };

  it.each<Scheme>(['ed25519', 'ecdh-p256'])('needs no file on the device that helps (%s)', async (scheme) => {
    const made = withCode((prompts) =>
      runKeygen(own.device, { scheme, policy: 'and(server,phone,laptop)' }, prompts),
    );
    await joinKeygen(laptop.device, await joinGroup(laptop.device, await made.code));
    const { keyId } = await made.done;
    const folder = temporaryFolder();
    const kit = await succeed(
      ['backup', folder, '--cloud', 'icloud', '--show-code', '--key', keyId],
      ['--home', own.home],
    );
    const drill = start(process.execPath, [
      bin,
      'drill',
      folder,
      '--code',
      kit['code'] as string,
      '--with',
      'laptop',
      '--home',
      own.home,
    ]);
    await untilSaid(drill, 'keepset join keepset-join-');
    const [, code = ''] = /keepset join (keepset-join-\S+)/.exec(drill.stderr()) ?? [];
    const joined = await keepset(['join', code, '--home', laptop.home]);
    expect(joined).toMatchObject({ code: 0 });
    expect(joined.stdout).toContain('The drill is done');
    expect(joined.stderr).toContain('tries a backup copy');
    expect(await drill.ended).toMatchObject({ code: 0 });
    expect(drill.stdout()).toContain('Recovery proven');
    // Alone it is not enough.
    const alone = await keepsetJson(['drill', folder, '--code', kit['code'] as string, '--home', own.home]);
    expect(errorOf(alone).code).toBe('policy/unsatisfied');
  });

  it.each<Scheme>(['ed25519', 'ecdh-p256'])(
    'fails with a share that is not the key’s, although the device’s own share is sound (%s)',
    async (scheme) => {
      const { keyId } = await runKeygen(own.device, { scheme, policy: 'and(server,phone)' });
      const share = await own.device.vault.open(keyId);
      const bytes = Uint8Array.from(share.secret.reveal());
      bytes[0] = (bytes[0] ?? 0) ^ 1;
      await expect(runDrill(own.device, { ...share, secret: new Secret(bytes) })).rejects.toThrow();
      await runDrill(own.device, share);
    },
  );

  it('opens with a point whose outcome everyone can compute, and another one in each session', () => {
    const about = { scheme: 'ecdh-p256', keyId: 'a'.repeat(26), epoch: 0 } as const;
    const session = new Uint8Array(32);
    const challenge = drillOpening(about, session);
    const key = createECDH('prime256v1');
    key.generateKeys();
    const shared = key.computeSecret(challenge?.ephemeral ?? new Uint8Array());
    expect(challenge?.sharedWith(key.getPublicKey(null, 'compressed'))).toEqual(Uint8Array.from(shared));
    expect(drillOpening(about, session.with(0, 1))?.ephemeral).not.toEqual(challenge?.ephemeral);
    expect(drillOpening({ ...about, scheme: 'ed25519' }, session)).toBeUndefined();
  });

  it('signs what nobody chose: another challenge for each key, epoch and session', () => {
    const about = { scheme: 'ed25519', keyId: 'a'.repeat(26), epoch: 0 } as const;
    const session = new Uint8Array(32);
    const base = drillRequest(about, session);
    const others = [
      drillRequest({ ...about, keyId: 'b'.repeat(26) }, session),
      drillRequest({ ...about, epoch: 1 }, session),
      drillRequest(about, session.with(0, 1)),
    ];
    for (const { message } of others) expect(bytesEqual(message, base.message)).toBe(false);
    expect(base.message).toHaveLength(32);
    expect(drillRequest({ ...about, scheme: 'ecdsa-p256' }, session).digest).toBe('sha256');
  });
});
