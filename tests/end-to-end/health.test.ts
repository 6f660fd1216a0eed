/** The health of copies with the real command: what raises them, what does not, and what makes a key protected. */
import { cpSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { decodeCbor, encodeCbor, type CborValue } from '@keepset/bytes';
import { makeBackup, modernDialect } from '../../packages/places/test/backup-maker.ts';
import { healthOfKey } from '../../apps/cli/src/places/health/health.ts';
import { withUnlocked } from '../../apps/cli/src/places/unlock.ts';
import { silentTerminal } from '../support/device.ts';
import { otherMedium, temporaryFolder } from '../support/folders.ts';
import {
  errorOf,
  keepset,
  keepsetJson,
  run,
  serve,
  serverFolders,
  type Serving,
} from '../support/processes.ts';

// Many real processes: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const home = join(temporaryFolder(), 'phone');
const phone = ['--home', home];
const elsewhere = otherMedium();
afterAll(() => rmSync(elsewhere, { recursive: true, force: true }));
let server: Serving;

type Json = Record<string, unknown>;
const succeed = async (args: readonly string[]): Promise<Json> => {
  const { code, json, stderr } = await keepsetJson([...args, ...phone]);
  expect({ code, json, stderr }).toMatchObject({ code: 0 });
  return json;
};

interface Copy {
  readonly id: string;
  readonly kind: string;
  readonly proof: string;
  readonly stale?: string;
  readonly counts: boolean;
  readonly reach: { readonly status: string };
}
interface Key {
  readonly protected: boolean;
  readonly shortfalls: readonly { readonly kind: string }[];
  readonly copies: readonly Copy[];
}
const healthOf = async (keyId: string): Promise<Key> => {
  const { keys } = await succeed(['health', '--key', keyId]);
  const [only] = keys as Key[];
  if (only === undefined) throw new Error('no such key');
  return only;
};
const copyOf = async (keyId: string, id: string): Promise<Copy> => {
  const copy = (await healthOf(keyId)).copies.find((each) => each.id === id);
  if (copy === undefined) throw new Error(`no copy ${id}`);
  return copy;
};
let made = 0;
const newStick = (): string => {
  const root = join(elsewhere, `stick${(made += 1)}`);
  mkdirSync(root);
  return root;
};
const newKey = async (): Promise<string> => (await succeed(['keygen']))['keyId'] as string;
const createStick = async (
  keyId: string,
  root = newStick(),
): Promise<{ root: string; kit: string; code: string }> => {
  const { kit, code } = await succeed(['usb', 'create', root, '--show-code', '--key', keyId]);
  return { root, kit: kit as string, code: code as string };
};

beforeAll(async () => {
  server = await serve(serverFolders());
  await succeed(['enroll', server.invitation ?? '']);
});

describe('keepset health', () => {
  it('raises a stick step by step, and the key with the last of them', async () => {
    const keyId = await newKey();
    expect(await healthOf(keyId)).toMatchObject({ protected: false, shortfalls: [{ kind: 'one-place' }] });
    const { root, kit, code } = await createStick(keyId);
    expect(await copyOf(keyId, kit)).toMatchObject({ proof: 'written', reach: { status: 'intact' } });
    await succeed(['usb', 'verify', root]);
    // Opened, but perhaps from memory: it was not unplugged yet.
    await succeed(['usb', 'verify', root, '--code', code]);
    expect(await copyOf(keyId, kit)).toMatchObject({ proof: 'written', counts: false });
    expect((await keepset(['health', '--strict', ...phone])).code).toBe(3);
    const before = await keepset(['show', keyId, ...phone]);
    expect(before.stdout).toContain('not protected yet: every tested copy is lost with this device.');
    await succeed(['usb', 'verify', root, '--replugged']);
    expect(await healthOf(keyId)).toMatchObject({ protected: true, shortfalls: [] });
    expect(await copyOf(keyId, kit)).toMatchObject({ proof: 'decrypted', counts: true });
    expect((await keepset(['health', '--strict', '--key', keyId, ...phone])).code).toBe(0);
    expect((await keepset(['show', keyId, ...phone])).stdout).toMatch(/^ {2}copies {6}protected$/m);
  });

  it('needs the code, not only the bytes', async () => {
    const keyId = await newKey();
    const { root, kit } = await createStick(keyId);
    await succeed(['usb', 'verify', root, '--replugged']);
    expect(await copyOf(keyId, kit)).toMatchObject({ proof: 'read back', counts: false });
    expect((await healthOf(keyId)).protected).toBe(false);
  });

  it('tells a stick that is away from one that is damaged, and writes nothing while it looks', async () => {
    const keyId = await newKey();
    const { root, kit, code } = await createStick(keyId);
    await succeed(['usb', 'verify', root, '--replugged', '--code', code]);
    const away = `${root}-away`;
    renameSync(root, away);
    expect(await copyOf(keyId, kit)).toMatchObject({ reach: { status: 'unreachable' }, counts: true });
    // Where it is mounted there is an empty folder while it is away.
    mkdirSync(root);
    expect(await copyOf(keyId, kit)).toMatchObject({ reach: { status: 'unreachable' }, counts: true });
    expect(readdirSync(root)).toEqual([]);
    rmSync(root, { recursive: true });
    renameSync(away, root);
    const slot = join(root, `keepset-${kit}`, 'share_party2.enc');
    const bytes = readFileSync(slot);
    writeFileSync(slot, bytes.fill(0, 100, 140));
    expect(await copyOf(keyId, kit)).toMatchObject({ reach: { status: 'damaged' }, counts: false });
    expect((await healthOf(keyId)).protected).toBe(false);
    const { stdout } = await keepset(['health', '--key', keyId, ...phone]);
    expect(stdout).toContain(`keepset usb repair ${root}`);
    expect(readFileSync(slot)).toEqual(bytes);
  });

  it('does not take a container on the disk of the device for a place of its own', async () => {
    const keyId = await newKey();
    const root = temporaryFolder();
    const { kit, code } = await createStick(keyId, root);
    await succeed(['usb', 'verify', root, '--code', code]);
    const refused = errorOf(await keepsetJson(['usb', 'verify', root, '--replugged', ...phone]));
    expect(refused).toMatchObject({
      code: 'place/foreign',
      hint: expect.stringContaining('Plug the stick in'),
    });
    expect(await copyOf(keyId, kit)).toMatchObject({
      domain: 'device:phone',
      proof: 'written',
      counts: false,
    });
    expect(await healthOf(keyId)).toMatchObject({ protected: false, shortfalls: [{ kind: 'one-place' }] });
  });

  it('raises a kit only when it was read back from the picture', async () => {
    const keyId = await newKey();
    const out = temporaryFolder();
    const { kit } = await succeed(['kit', '--out', out, '--key', keyId]);
    expect(await copyOf(keyId, kit as string)).toMatchObject({
      proof: 'written',
      reach: { status: 'unseen' },
    });
    const pages = await rasterise(out);
    await succeed(['kit', 'read', ...pages, '--out', join(out, 'share.age')]);
    expect(await copyOf(keyId, kit as string)).toMatchObject({ proof: 'decrypted' });
    expect((await healthOf(keyId)).protected).toBe(true);
  });

  it('does not count a lost copy, does not wait for it, and names it until the epoch has advanced', async () => {
    const keyId = await newKey();
    const { root, kit, code } = await createStick(keyId);
    await succeed(['usb', 'verify', root, '--replugged', '--code', code]);
    expect((await healthOf(keyId)).protected).toBe(true);
    const { stdout, stderr } = await keepset(['health', '--lost', kit.slice(0, 10), ...phone]);
    expect(stderr).toContain(`keepset health --found ${kit.slice(0, 6)}`);
    expect(stdout).toMatch(/lost on 20\d\d-\d\d-\d\d; refresh so that it is worth nothing/);
    expect(stdout).toContain('NOT PROTECTED');
    expect(await copyOf(keyId, kit)).toMatchObject({ proof: 'decrypted', counts: false });
    await succeed(['health', '--found', kit]);
    expect(await healthOf(keyId)).toMatchObject({ protected: true });
    await succeed(['health', '--lost', kit]);
    expect((await keepsetJson(['health', '--lost', kit, '--key', keyId, ...phone])).code).toBe(2);
    expect((await keepsetJson(['health', '--lost', '222222', ...phone])).code).toBe(6);
    const before = readFileSync(join(root, `keepset-${kit}`, 'share_party2.enc'));
    expect(await succeed(['refresh', '--key', keyId])).toMatchObject({ copies: [], retired: true });
    expect(readFileSync(join(root, `keepset-${kit}`, 'share_party2.enc'))).toEqual(before);
    expect((await healthOf(keyId)).copies.map(({ id }) => id)).toEqual(['home']);
  });

  it('takes in a copy in a Finder backup, and sees without its password that the phone was backed up anew', async () => {
    const keyId = await newKey();
    const cloud = temporaryFolder();
    const made = await succeed(['backup', cloud, '--cloud', 'icloud', '--show-code', '--key', keyId]);
    const folder = made['kit'] as string;
    const password = join(temporaryFolder(), 'password');
    writeFileSync(password, 'finder\n');
    /** The same file lies in the folder and among the app's files on the phone. */
    const backUp = (root: string): void => {
      const inside = join(cloud, `keepset-${folder}`);
      const [name = ''] = readdirSync(inside);
      const domain = 'AppDomain-org.example.keepset';
      makeBackup(root, 'finder', modernDialect, [
        { domain, path: 'Documents/copy.age', content: readFileSync(join(inside, name)) },
      ]);
    };
    const addition = (root: string): string[] => {
      const codes = ['--code', made['code'] as string, '--copy-passphrase-file', password];
      return ['finder-backup', 'add', root, ...codes];
    };
    const look = async (): Promise<Key> => {
      const { copies, protection } = await withUnlocked({ home }, silentTerminal, (unlocked) =>
        healthOfKey(unlocked, keyId),
      );
      return { protected: protection.isProtected, shortfalls: protection.shortfalls, copies };
    };
    const lookAtCopy = async (id: string): Promise<Copy | undefined> =>
      (await look()).copies.find((copy) => copy.id === id);
    const near = join(temporaryFolder(), 'backup');
    backUp(near);
    const added = await succeed(addition(near));
    const kit = added['kit'] as string;
    expect(added).toMatchObject({ keyId, epoch: 0, domain: 'device:phone', left: [] });
    expect(await lookAtCopy(kit)).toMatchObject({
      kind: 'finder-backup',
      proof: 'decrypted',
      reach: { status: 'intact' },
      counts: true,
    });
    // Where this computer burns, the backup on its disk burns too; that in the folder was not opened.
    expect(await look()).toMatchObject({ protected: false, shortfalls: [{ kind: 'one-place' }] });
    expect(await lookAtCopy(folder)).toMatchObject({ proof: 'read back' });
    // As on a Mac, with a space in its path.
    const far = join(elsewhere, 'Application Support', 'backup');
    cpSync(near, far, { recursive: true });
    expect(await succeed(addition(far))).toMatchObject({ kit, domain: 'location:other-disk' });
    const spread = await look();
    expect(spread.protected).toBe(true);
    expect(spread.copies.map(({ id }) => id).toSorted()).toEqual(['home', folder, kit].toSorted());
    renameSync(far, `${far}-away`);
    expect(await lookAtCopy(kit)).toMatchObject({ reach: { status: 'unreachable' }, counts: true });
    renameSync(`${far}-away`, far);
    backUp(far);
    expect(await lookAtCopy(kit)).toMatchObject({ reach: { status: 'unseen' }, counts: false });
    const told = await keepset(['health', '--key', keyId, ...phone]);
    expect(told.stdout).toMatch(/Finder backup .* decrypted .* made anew$/m);
    expect(told.stdout).toContain(`keepset finder-backup add '${far}' --code -`);
    expect(await succeed(addition(far))).toMatchObject({ kit });
    expect((await look()).protected).toBe(true);
    // New shares: the phone has to be given one, and to be backed up. The old share does not wait for that.
    const refreshed = await keepset(['refresh', '--key', keyId, ...phone]);
    expect(refreshed.stdout).toContain(`finder-backup ${kit.slice(0, 6)}: worth nothing any more.`);
    expect(refreshed.stdout).toContain(`keepset finder-backup add '${far}' --code -`);
    expect(refreshed.stdout).not.toContain('keeps its old share');
    expect(await lookAtCopy(kit)).toMatchObject({ stale: 'epoch', counts: false });
    const early = errorOf(await keepsetJson([...addition(far), ...phone]));
    expect(early).toMatchObject({ code: 'place/stale' });
    expect(early.hint).toContain('keepset finder-backup add');
    backUp(far);
    expect(await succeed(addition(far))).toMatchObject({ kit, epoch: 1 });
    expect(await lookAtCopy(kit)).toMatchObject({ proof: 'decrypted', counts: true });
    // One that is lost is not found by another one of the same share; one of new shares takes its place.
    await succeed(['health', '--lost', kit]);
    expect(errorOf(await keepsetJson([...addition(far), ...phone])).code).toBe('input/invalid-argument');
    await succeed(['refresh', '--key', keyId]);
    backUp(far);
    expect(await succeed(addition(far))).toMatchObject({ kit, epoch: 2 });
    expect(await lookAtCopy(kit)).toMatchObject({ counts: true });
  });

  it('loads ledgers of the first version', async () => {
    const keyId = await newKey();
    const { root, kit, code } = await createStick(keyId);
    await succeed(['usb', 'verify', root, '--replugged', '--code', code]);
    const file = join(home, 'usb-ledger', `${kit}.cbor`);
    const noted = decodeCbor(readFileSync(file)) as { copies: Record<string, CborValue>[] } & Record<
      string,
      CborValue
    >;
    const { path: _path, domain: _domain, copies, ...first } = noted;
    const old = copies.map(({ source: _s, readBackAt: _r, openedAt: _o, provenAt: _p, ...copy }) => copy);
    writeFileSync(file, encodeCbor({ ...first, copies: old }));
    expect(await copyOf(keyId, kit)).toMatchObject({ proof: 'read back', reach: { status: 'unreachable' } });
    // Seen again, it is known again where it lies.
    await succeed(['usb', 'verify', root, '--code', code]);
    expect(await copyOf(keyId, kit)).toMatchObject({ proof: 'decrypted', reach: { status: 'intact' } });
  });

  it('shows a table of 80 columns', async () => {
    const { stdout } = await keepset(['health', ...phone]);
    for (const line of stdout.split('\n'))
      if (!line.includes(elsewhere)) expect(line.length).toBeLessThanOrEqual(80);
    expect(stdout).toMatch(/^ {2}this device {15} decrypted {8}\d{4}-\d\d-\d\d {2}intact$/m);
  });
});

/** The pages of all PDF files in a folder as pictures. */
const rasterise = async (folder: string): Promise<string[]> => {
  for (const pdf of readdirSync(folder).filter((name) => name.endsWith('.pdf'))) {
    const { code } = await run('pdftoppm', [
      '-r',
      '200',
      '-gray',
      '-png',
      join(folder, pdf),
      join(folder, pdf.slice(0, -4)),
    ]);
    expect(code).toBe(0);
  }
  return readdirSync(folder)
    .filter((name) => name.endsWith('.png'))
    .map((name) => join(folder, name));
};

describe('keepset keys', () => {
  it('lists the other keys when one share is damaged, and says what to do about that one', async () => {
    const [broken, sound] = [await newKey(), await newKey()];
    const [name = ''] = readdirSync(join(home, 'shares')).filter((each) => each.startsWith(broken));
    const path = join(home, 'shares', name);
    const bytes = readFileSync(path);
    writeFileSync(path, Uint8Array.from(bytes).fill(0, bytes.length - 40));
    try {
      const keys = (await succeed(['keys']))['keys'] as Json[];
      expect(keys.find((key) => key['keyId'] === sound)).toMatchObject({ state: 'usable', epoch: 0 });
      expect(keys.find((key) => key['keyId'] === broken)).toMatchObject({
        state: 'damaged on this device',
        epoch: 0,
        error: { code: 'place/damaged' },
      });
      const { stdout } = await keepset(['keys', ...phone]);
      expect(stdout).toContain('epoch 0: damaged on this device');
      expect(stdout).toContain('keepset recover --from PATH');
    } finally {
      writeFileSync(path, bytes);
    }
  });
});

describe('a refresh', () => {
  it('says that unused presignatures are void, and what old shares are still good for', async () => {
    const keyId = (await succeed(['keygen', '--scheme', 'ecdsa-secp256k1']))['keyId'] as string;
    const made = await keepset(['presign', '--count', '2', '--path', 'm/0/5', '--key', keyId, ...phone]);
    expect(made.stdout).toContain(`with the child key m/0/5 of ${keyId} take one request`);
    expect(await succeed(['presign', '--key', keyId])).toMatchObject({ path: 'm' });
    const { stdout } = await keepset(['refresh', '--key', keyId, ...phone]);
    expect(stdout).toContain('3 unused presignatures were for the old shares');
    expect(stdout).toContain('whole quorum of one old epoch still make the key');
    expect(await succeed(['refresh', '--key', keyId])).toMatchObject({ voidPresignatures: 0 });
  });
});

describe('copies after a refresh', () => {
  const own = (keyId: string): string[] =>
    readdirSync(join(home, 'shares')).filter((name) => name.startsWith(keyId));
  const outcomesOf = (json: Json): Record<string, unknown> =>
    Object.fromEntries(
      (json['copies'] as { kit: string; outcome: string }[]).map(({ kit, outcome }) => [kit, outcome]),
    );
  const createFolder = async (keyId: string, folder: string): Promise<{ kit: string; code: string }> => {
    const made = await succeed(['backup', folder, '--cloud', 'icloud', '--show-code', '--key', keyId]);
    return { kit: made['kit'] as string, code: made['code'] as string };
  };

  it('are rewritten where they can be reached, and listed where not', async () => {
    const keyId = await newKey();
    const [near, far] = [await createStick(keyId), await createStick(keyId)];
    const cloud = temporaryFolder();
    const folder = await createFolder(keyId, cloud);
    const { kit: paper } = await succeed(['kit', '--out', temporaryFolder(), '--key', keyId]);
    renameSync(far.root, `${far.root}-away`);
    const refreshed = await succeed(['refresh', '--key', keyId]);
    expect(refreshed).toMatchObject({ epoch: 1, retired: true });
    expect(outcomesOf(refreshed)).toEqual({
      [near.kit]: 'rewritten',
      [far.kit]: 'unreachable',
      [folder.kit]: 'rewritten',
      [paper as string]: 'print',
    });
    expect(own(keyId)).toEqual([expect.stringContaining(`${keyId}.1.`)]);
    expect(readdirSync(join(cloud, `keepset-${folder.kit}`))).toEqual([
      expect.stringContaining(`${keyId}.1.`),
    ]);
    expect(await copyOf(keyId, near.kit)).toMatchObject({ proof: 'written', reach: { status: 'intact' } });
    expect((await copyOf(keyId, near.kit)).stale).toBeUndefined();
    expect(await copyOf(keyId, folder.kit)).toMatchObject({
      proof: 'read back',
      reach: { status: 'intact' },
    });
    expect(await copyOf(keyId, far.kit)).toMatchObject({ stale: 'epoch', counts: false });
    expect(await copyOf(keyId, paper as string)).toMatchObject({ stale: 'epoch', counts: false });
    // The codes stay what they were.
    await succeed(['usb', 'verify', near.root, '--code', near.code]);
    // Plugged in later, the other stick follows.
    renameSync(`${far.root}-away`, far.root);
    const { keys } = await succeed(['backup', '--again', '--key', keyId]);
    expect(outcomesOf((keys as Json[])[0] ?? {})).toMatchObject({ [far.kit]: 'rewritten' });
    expect((await copyOf(keyId, far.kit)).stale).toBeUndefined();
  });

  it('hold up the end of the old share only while they are there and cannot be written', async () => {
    const keyId = await newKey();
    const cloud = temporaryFolder();
    const { kit } = await createFolder(keyId, cloud);
    const folder = join(cloud, `keepset-${kit}`);
    renameSync(folder, `${folder}-aside`);
    writeFileSync(folder, 'in the way');
    const refreshed = await succeed(['refresh', '--key', keyId]);
    expect(refreshed).toMatchObject({ epoch: 1, retired: false });
    expect(outcomesOf(refreshed)).toEqual({ [kit]: 'failed' });
    expect(own(keyId).map((name) => name.split('.')[1])).toEqual(['0', '1']);
    rmSync(folder);
    renameSync(`${folder}-aside`, folder);
    // Any command that opens the device goes on.
    const { stderr } = await keepset(['keys', ...phone]);
    expect(stderr).toContain('rewritten and read back');
    expect(own(keyId).map((name) => name.split('.')[1])).toEqual(['1']);
    rmSync(folder, { recursive: true });
    expect(outcomesOf(await succeed(['refresh', '--key', keyId]))).toEqual({ [kit]: 'gone' });
    expect(own(keyId).map((name) => name.split('.')[1])).toEqual(['2']);
  });
});
