/** Drills with the real command: the copy signs, whatever the scheme; what must fail fails, and the ledger says how far it came. */
import { createECDH } from 'node:crypto';
import { cpSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Secret, bytesEqual } from '@keepset/bytes';
import { drillOpening, drillRequest, runDrill, runKeygen, type Scheme } from '@keepset/ceremony';
import { startServer, type RunningServer } from '@keepset/server';
import {
  deviceAt,
  failure,
  joinCode,
  refusal,
  succeed,
  type Device,
  type Json,
} from '../support/commands.ts';
import {
  appDomain,
  backUpToCloud,
  copyHealth,
  createStick,
  finderPassword,
  finderPasswordOptions,
  makeFinderBackup,
  shareFileOf,
  slotOf,
  type Copy,
  type CopyHealth,
} from '../support/copies.ts';
import { newDevice, type TestDevice } from '../support/device.ts';
import { otherMedium, temporaryFolder } from '../support/folders.ts';
import { reading, scan, typedFrom } from '../support/media.ts';
import { addDevice, keygenTogether } from '../support/meeting.ts';
import { bin, keepset, onTerminal, start } from '../support/processes.ts';
import { serverOptions } from '../support/server.ts';
import { makeKey } from '../support/world.ts';

// Many real processes: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const elsewhere = otherMedium();
let server: RunningServer;
let phone: Device;

/** Runs a command of the phone, which must succeed. */
const onPhone = (args: readonly string[]): Promise<Json> => succeed([...args, ...phone.args]);
/** The error of one that must fail. */
const failsOnPhone = (args: readonly string[]): ReturnType<typeof refusal> =>
  refusal([...args, ...phone.args]);
const proofOf = async (keyId: string, kit: string): Promise<string> =>
  (await copyHealth(phone, keyId, kit)).proof;
interface Print {
  readonly kit: string;
  readonly codeSheet: string;
  readonly pictures: readonly string[];
}
const backup = (keyId: string): Promise<Copy> => backUpToCloud(temporaryFolder(), phone, '--key', keyId);

beforeAll(async () => {
  server = await startServer(serverOptions());
  phone = deviceAt(join(temporaryFolder(), 'phone'));
  await onPhone(['enroll', server.invite()]);
});
afterAll(() => server.close());

describe('keepset drill', () => {
  it.each(['ed25519', 'schnorr-secp256k1', 'ecdsa-secp256k1', 'ecdsa-p256', 'ecdh-p256'])(
    'works with the share from the copy (%s)',
    async (scheme) => {
      const keyId = await makeKey(phone, ['--scheme', scheme]);
      const { root: folder, kit, code } = await backup(keyId);
      expect(await proofOf(keyId, kit)).toBe('read back');
      const offline = await onPhone(['drill', folder, '--code', code, '--offline']);
      expect(offline).toMatchObject({ keyId, kit, proof: 'decrypted' });
      expect(await proofOf(keyId, kit)).toBe('decrypted');
      expect(await onPhone(['drill', '--copy', kit.slice(0, 8), '--code', code])).toMatchObject({
        keyId,
        kit,
        proof: 'recovery proven',
      });
      expect(await proofOf(keyId, kit)).toBe('recovery proven');
    },
  );

  it('works from a stick, and proves it only once the stick was unplugged', async () => {
    const keyId = await makeKey(phone);
    const root = join(elsewhere, 'stick');
    const { kit, code } = await createStick(root, phone, '--key', keyId);
    await onPhone(['drill', root, '--code', code]);
    expect(await proofOf(keyId, kit)).toBe('written');
    await onPhone(['usb', 'verify', root, '--replugged']);
    expect(await proofOf(keyId, kit)).toBe('recovery proven');
    const copyOf = (): Promise<CopyHealth> => copyHealth(phone, keyId, kit);
    expect(await copyOf()).toMatchObject({ domain: `location:medium-${kit}` });
    // An image of it on the device's own disk is no other place, and a file from it alone is no copy of the ledger.
    const image = join(phone.home, 'image');
    cpSync(root, image, { recursive: true });
    const file = join(temporaryFolder(), 'share.age');
    cpSync(slotOf(image), file);
    expect(await onPhone(['drill', file, '--code', code])).toMatchObject({ kit: null });
    await onPhone(['drill', image, '--code', code]);
    expect(await copyOf()).toMatchObject({ domain: 'device:phone', path: image });
    await onPhone(['drill', root, '--code', code]);
    expect(await copyOf()).toMatchObject({ domain: `location:medium-${kit}` });
  });

  it('works from pictures of a printed kit, with the code typed or scanned', async () => {
    const keyId = await makeKey(phone);
    const print = async (): Promise<Print> => {
      const { kit, codeSheet, shareSheets } = await onPhone([
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
    const wrong = await failsOnPhone(['drill', ...one.pictures, '--code', await typedFrom(two.codeSheet)]);
    expect(wrong.code).toBe('place/locked');
    expect(await proofOf(keyId, one.kit)).toBe('written');
    expect(await onPhone(['drill', ...one.pictures, '--code', typed])).toMatchObject({
      kit: one.kit,
      proof: 'recovery proven',
    });
    expect(await proofOf(keyId, one.kit)).toBe('recovery proven');
    expect(await proofOf(keyId, two.kit)).toBe('written');
    const scanned = await scan(two.codeSheet, join(temporaryFolder(), 'code'), '-gray');
    await onPhone(['drill', ...two.pictures, ...scanned, '--copy', two.kit.slice(0, 8)]);
    expect(await proofOf(keyId, two.kit)).toBe('recovery proven');
    // What is printed stays of its epoch.
    await onPhone(['refresh', '--key', keyId]);
    expect((await failsOnPhone(['drill', ...one.pictures, '--code', typed])).code).toBe('place/stale');
  });

  it('works from a Finder backup: its password is asked for once, the code until it fits', async () => {
    const keyId = await makeKey(phone);
    const [one, two] = [await backup(keyId), await backup(keyId)];
    const root = join(elsewhere, 'finder');
    makeFinderBackup(root, {
      [`${one.kit}.age`]: readFileSync(shareFileOf(one)),
      [`${two.kit}.age`]: readFileSync(shareFileOf(two)),
    });
    const given = ['--code', one.code, ...finderPasswordOptions()];
    await reading(root, async () => {
      const before = await keepset(['drill', root, ...given, ...phone.args]);
      expect(before.stdout).toContain('Recovery proven');
      expect(before.stdout).toContain(`not in the ledger yet: keepset finder-backup add ${root}`);
      // The same file in the folder was not tried.
      expect(await proofOf(keyId, one.kit)).toBe('read back');
      const added = await onPhone(['finder-backup', 'add', root, ...given]);
      expect(added['left']).toEqual([
        { domain: appDomain, path: `Documents/${two.kit}.age`, reason: 'this code does not open it' },
      ]);
      const kit = added['kit'] as string;
      expect(await proofOf(keyId, kit)).toBe('decrypted');
      const drilled = await onTerminal(
        ['drill', '--copy', kit.slice(0, 8), '--code', '-', ...phone.args],
        [
          ['code (attempt 1 of 3)', `${two.code}\n`],
          ['backup (attempt 1 of 3)', 'guess\n'],
          ['backup (attempt 2 of 3)', `${finderPassword}\n`],
          ['code (attempt 2 of 3)', `${one.code}\n`],
        ],
      );
      expect(drilled, drilled.stdout).toMatchObject({ code: 0 });
      expect(drilled.stdout).toContain('This code does not open this copy.');
      expect(await proofOf(keyId, kit)).toBe('recovery proven');
      expect(await proofOf(keyId, one.kit)).toBe('read back');
    });
  });

  it('leaves nothing behind but a date', async () => {
    const keyId = await makeKey(phone);
    const { root: folder, code } = await backup(keyId);
    const seen = (root: string): string[] =>
      readdirSync(root, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
        .filter((path) => !path.endsWith('log-head.cbor') && !path.includes('usb-ledger'))
        .map((path) => `${path} ${readFileSync(path).toString('base64')}`)
        .toSorted();
    const before = [seen(phone.home), seen(folder)];
    await onPhone(['drill', folder, '--code', code]);
    expect([seen(phone.home), seen(folder)]).toEqual(before);
  });

  it('says what is wrong with a wrong code, and with a copy that is gone or damaged', async () => {
    const keyId = await makeKey(phone);
    const [one, two] = [await backup(keyId), await backup(keyId)];
    expect(await failsOnPhone(['drill', one.root, '--code', two.code])).toMatchObject({
      code: 'place/locked',
      message: 'This code does not open this copy.',
    });
    expect((await failsOnPhone(['drill', one.root])).code).toBe('place/locked');
    expect((await failsOnPhone(['drill', '--code', one.code])).code).toBe('input/invalid-argument');
    expect((await failsOnPhone(['drill', '--copy', 'zzzz', '--code', one.code])).code).toBe(
      'place/not-found',
    );
    const file = shareFileOf(one);
    const bytes = readFileSync(file);
    writeFileSync(file, bytes.fill(0, bytes.length - 40));
    expect((await failsOnPhone(['drill', one.root, '--code', one.code])).code).toBe('place/damaged');
    rmSync(join(one.root, `keepset-${one.kit}`), { recursive: true });
    expect((await failsOnPhone(['drill', one.root, '--code', one.code])).code).toBe('place/damaged');
    expect(await proofOf(keyId, one.kit)).toBe('read back');
  });

  it('fails with a copy of an old epoch, and with one that a newer copy has overtaken', async () => {
    const keyId = await makeKey(phone);
    const copy = await backup(keyId);
    const { root: folder, kit, code } = copy;
    const old = join(temporaryFolder(), 'old.age');
    cpSync(shareFileOf(copy), old);
    expect(await onPhone(['drill', old, '--code', code, '--offline'])).toMatchObject({ proof: 'decrypted' });
    await onPhone(['refresh', '--key', keyId]);
    for (const where of [[], ['--offline']])
      expect(await failsOnPhone(['drill', old, '--code', code, ...where])).toMatchObject({
        code: 'place/stale',
        message: 'This copy is of epoch 0; the key is at epoch 1.',
      });
    // The code stays the same.
    await onPhone(['drill', folder, '--code', code]);
    expect(await proofOf(keyId, kit)).toBe('recovery proven');
  });

  it('without its server proves no recovery', async () => {
    const keyId = await makeKey(phone);
    const { root: folder, kit, code } = await backup(keyId);
    const account = join(phone.home, 'account.cbor');
    const bytes = readFileSync(account);
    const text = bytes.toString('latin1');
    const { port } = new URL(server.url);
    writeFileSync(account, Buffer.from(text.replace(`:${port}`, ':' + '1'.repeat(port.length)), 'latin1'));
    try {
      expect((await failsOnPhone(['drill', folder, '--code', code])).code).toMatch(/^transport\//);
    } finally {
      writeFileSync(account, bytes);
    }
    expect(await proofOf(keyId, kit)).toBe('decrypted');
  });

  it('asks for the code three times at most, and counts', async () => {
    const keyId = await makeKey(phone);
    const [one, two] = [await backup(keyId), await backup(keyId)];
    const ask = ['drill', one.root, '--code', '-', ...phone.args];
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
    laptop = await addDevice(own, 'laptop');
  });
  afterAll(() => {
    own.close();
    laptop.close();
  });

  it.each<Scheme>(['ed25519', 'ecdh-p256'])('needs no file on the device that helps (%s)', async (scheme) => {
    const policy = 'and(server,phone,laptop)';
    const { started } = await keygenTogether(own, { scheme, policy }, new Map([['laptop', laptop]]));
    const device = deviceAt(own.home);
    const copy = await backUpToCloud(temporaryFolder(), device, '--key', started.keyId);
    const drilling = ['drill', copy.root, '--code', copy.code];
    const drill = start(process.execPath, [bin, ...drilling, '--with', 'laptop', ...device.args]);
    const code = await joinCode(drill, 'laptop');
    expect(code).toMatch(/^keepset-join-/);
    const joined = await keepset(['join', code, '--home', laptop.home]);
    expect(joined).toMatchObject({ code: 0 });
    expect(joined.stdout).toContain('The drill is done');
    expect(joined.stderr).toContain('tries a backup copy');
    expect(await drill.ended).toMatchObject({ code: 0 });
    expect(drill.stdout()).toContain('Recovery proven');
    // Alone it is not enough.
    expect((await failure([...drilling, ...device.args])).code).toBe('policy/unsatisfied');
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
