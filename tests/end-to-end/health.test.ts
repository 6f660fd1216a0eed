/** The health of copies with the real command: what raises them, what does not, and what makes a key protected. */
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { decodeCbor, encodeCbor, type CborValue } from '@keepset/bytes';
import { otherMedium, temporaryFolder } from '../support/folders.ts';
import { keepset, keepsetJson, run, serve, serverFolders, type Serving } from '../support/processes.ts';

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
    await succeed(['usb', 'verify', root, '--replugged', '--code', code]);
    expect(await copyOf(keyId, kit)).toMatchObject({ proof: 'decrypted', counts: true });
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
