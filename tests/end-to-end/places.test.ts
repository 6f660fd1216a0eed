/** Sticks, printed kits and Finder backups with the real command: the way through, and everything that can be wrong. */
import {
  closeSync,
  cpSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeCbor, encodeCbor } from '@keepset/bytes';
import { openShareFile } from '@keepset/wire';
import { makeBackup, modernDialect } from '../../packages/places/test/backup-maker.ts';
import { otherMedium, temporaryFolder } from '../support/folders.ts';
import { reading, scan, typedFrom } from '../support/media.ts';
import {
  errorOf,
  keepset,
  keepsetJson,
  onTerminal,
  run,
  serve,
  serverFolders,
} from '../support/processes.ts';

const work = temporaryFolder();
const phone = ['--home', join(work, 'phone')];
const other = ['--home', join(work, 'other')];
const nobody = ['--home', join(work, 'nobody')];

type Json = Record<string, unknown>;
const succeed = async (args: readonly string[]): Promise<Json> => {
  const { code, json, stderr } = await keepsetJson(args);
  expect({ code, json, stderr }).toMatchObject({ code: 0 });
  return json;
};
/** The error of a command that must fail, with a next step. */
const failure = async (args: readonly string[]): Promise<{ code: string; message: string; hint: string }> => {
  const ended = await keepsetJson(args);
  expect(ended.code, JSON.stringify(ended.json)).not.toBe(0);
  const { code, message, hint = '' } = errorOf(ended);
  expect(hint, `${code} says what to do next`).not.toBe('');
  return { code, message, hint };
};

const verifyFails = (medium: string, ...args: readonly string[]): ReturnType<typeof failure> =>
  reading(medium, () => failure(['usb', 'verify', medium, ...phone, ...args]));

let elsewhere: string;
afterAll(() => rmSync(elsewhere, { recursive: true, force: true }));

interface Stick {
  readonly root: string;
  readonly kit: string;
  readonly code: string;
  /** A file with the code. */
  readonly codeFile: string;
}
let made = 0;
/** An empty medium. */
const emptyStick = (): string => {
  const root = join(elsewhere, `stick${(made += 1)}`);
  mkdirSync(root);
  return root;
};
/** A stick that was written, and completed after it was plugged in again. */
const makeStick = async (home: readonly string[]): Promise<Stick> => {
  const root = emptyStick();
  const { kit, code } = await succeed(['usb', 'create', root, '--show-code', ...home]);
  await succeed(['usb', 'verify', root, '--replugged', ...home]);
  const codeFile = `${root}.code.txt`;
  writeFileSync(codeFile, `# recovery code\n${code as string}\n`);
  return { root, kit: kit as string, code: code as string, codeFile };
};
const folderOf = (root: string): string => {
  const [name = ''] = readdirSync(root).filter((entry) => entry.startsWith('keepset-'));
  return join(root, name);
};
/** A copy of a stick that a test may hurt. */
const copyOf = ({ root }: Stick): string => {
  const copy = join(elsewhere, `copy${(made += 1)}`);
  cpSync(root, copy, { recursive: true });
  return copy;
};
const slot = (root: string, end: string): string => join(folderOf(root), `share_party2.${end}`);
const flip = (path: string, at: number): void => {
  const bytes = readFileSync(path);
  bytes[at] = ~(bytes[at] ?? 0) & 0xff;
  writeFileSync(path, bytes);
};

let keyId: string;
let stick: Stick;
let foreign: Stick;
beforeAll(async () => {
  elsewhere = otherMedium();
  const server = await serve(serverFolders());
  await succeed(['enroll', server.invitation ?? '', ...phone]);
  keyId = (await succeed(['keygen', ...phone]))['keyId'] as string;
  const { invitation } = await succeed(['add-device', ...phone]);
  await succeed(['enroll', invitation as string, '--party', 'laptop', ...other]);
  await succeed(['keygen', '--policy', 'and(server,laptop)', ...other]);
  foreign = await makeStick(other);
  // Unplugged meanwhile, so that it keeps the old share.
  renameSync(foreign.root, `${foreign.root}-unplugged`);
  await succeed(['refresh', ...other]);
  renameSync(`${foreign.root}-unplugged`, foreign.root);
  // From here on nothing needs a server.
  await server.stop();
  stick = await makeStick(phone);
});

describe('keepset usb', () => {
  it('writes one slot, and the second only after the stick was plugged in again', async () => {
    const root = emptyStick();
    const written = await succeed(['usb', 'create', root, '--show-code', ...phone]);
    expect(written).toMatchObject({ keyId, epoch: 0, state: 'written' });
    expect(existsSync(slot(root, 'enc'))).toBe(true);
    expect(existsSync(slot(root, 'bak'))).toBe(false);
    const verify = ['usb', 'verify', root, ...phone];
    const before = await reading(root, () => succeed(verify));
    expect(before).toMatchObject({ by: 'ledger', mirrored: false, generation: written['generation'] });
    expect(await succeed([...verify, '--replugged'])).toMatchObject({ mirrored: true });
    expect(readFileSync(slot(root, 'bak'))).toEqual(readFileSync(slot(root, 'enc')));
    expect(await reading(root, () => succeed(verify))).toMatchObject({ mirrored: true });
  });

  it('seals to the recovery code alone: it opens the slot with stock age, the device does not', async () => {
    const age = await run('age', ['-d', '-i', stick.codeFile, slot(stick.root, 'enc')]);
    expect(age.code).toBe(0);
    const device = join(work, 'phone', 'identity.txt');
    expect((await run('age', ['-d', '-i', device, slot(stick.root, 'enc')])).code).not.toBe(0);
    expect((await verifyFails(stick.root, '--identity', device)).code).toBe('place/locked');
  });

  it('opens with the code on a computer that knows nothing, typed in groups and small letters too', async () => {
    const typed = `${stick.code.slice(0, 16)} ${stick.code
      .slice(16)
      .match(/.{1,4}/g)
      ?.join(' ')}`;
    for (const given of [
      ['--code', typed.toLowerCase()],
      ['--identity', stick.codeFile],
    ])
      expect(
        await reading(stick.root, () => succeed(['usb', 'verify', stick.root, ...given, ...nobody])),
      ).toMatchObject({ by: 'code', keyId, epoch: 0, mirrored: true });
    expect(await succeed(['usb', 'verify', stick.root, ...nobody])).toMatchObject({ by: 'hashes' });
    expect(existsSync(join(work, 'nobody'))).toBe(false);
  });

  it('shows the code only on request, keeps it nowhere, and makes no stick whose code goes nowhere', async () => {
    const root = emptyStick();
    const { code } = await failure(['usb', 'create', root, ...phone]);
    expect(code).toBe('input/invalid-argument');
    expect(readdirSync(root)).toEqual([]);
    const sheet = join(work, 'quiet.pdf');
    const quiet = await keepset(['usb', 'create', root, '--code-sheet', sheet, ...phone]);
    expect(quiet.code).toBe(0);
    expect(quiet.stdout + quiet.stderr).not.toContain('AGE-SECRET-KEY');
    const kept = readdirSync(join(work, 'phone'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'));
    expect(kept.length).toBeGreaterThan(4);
    expect(kept.join('\n')).not.toContain(stick.code.slice(16));
  });

  it('prints the code on a sheet that can be typed from, and never onto the same medium', async () => {
    const root = emptyStick();
    const refused = await failure(['usb', 'create', root, '--code-sheet', `${root}/code.pdf`, ...phone]);
    expect(refused.code).toBe('place/foreign');
    symlinkSync(root, join(work, 'link'));
    const linked = join(work, 'link', 'code.pdf');
    expect((await failure(['usb', 'create', root, '--code-sheet', linked, ...phone])).code).toBe(
      'place/foreign',
    );
    expect(readdirSync(root)).toEqual([]);
    const sheet = join(work, 'code.pdf');
    await succeed(['usb', 'create', root, '--code-sheet', sheet, '--paper', 'Letter', ...phone]);
    expect(statSync(sheet).mode & 0o777).toBe(0o600);
    const typed = await typedFrom(sheet);
    expect(await succeed(['usb', 'verify', root, '--code', typed, ...phone])).toMatchObject({ by: 'code' });
    const again = emptyStick();
    expect((await failure(['usb', 'create', again, '--code-sheet', sheet, ...phone])).code).toBe(
      'place/exists',
    );
    expect(readdirSync(again)).toEqual([]);
  });

  it('refuses a stick on which codes lie, and one that holds a container', async () => {
    const root = emptyStick();
    writeFileSync(join(root, 'recovery_codes.txt'), 'x');
    expect((await failure(['usb', 'create', root, '--show-code', ...phone])).code).toBe('place/foreign');
    expect(readdirSync(root)).toEqual(['recovery_codes.txt']);
    expect(
      (await reading(stick.root, () => failure(['usb', 'create', stick.root, '--show-code', ...phone]))).code,
    ).toBe('place/exists');
  });

  it('renews a stick under the code it has, and knows an older state of it', async () => {
    const own = await makeStick(phone);
    const old = copyOf(own);
    const { generation } = await succeed(['usb', 'create', own.root, '--again', ...phone]);
    await succeed(['usb', 'verify', own.root, '--replugged', ...phone]);
    expect(await succeed(['usb', 'verify', own.root, '--identity', own.codeFile, ...phone])).toMatchObject({
      generation,
      mirrored: true,
    });
    for (const given of [[], ['--identity', own.codeFile]])
      expect((await verifyFails(old, ...given)).code).toBe('place/stale');
    expect((await reading(old, () => failure(['usb', 'verify', old, '--replugged', ...phone]))).code).toBe(
      'place/stale',
    );
  });

  it('writes over a copy it does not remember only where the code says what that is', async () => {
    const own = await makeStick(phone);
    const path = join(work, 'phone', 'usb-ledger', `${own.kit}.cbor`);
    const before = readFileSync(path);
    const again = ['usb', 'create', own.root, '--again', ...phone];
    const { generation } = await succeed(again);
    writeFileSync(path, before);
    for (const args of [again, ['usb', 'verify', own.root, '--replugged', ...phone]]) {
      const refused = await reading(own.root, () => failure(args));
      expect(refused.code).toBe('place/stale');
      expect(refused.hint).toContain('--code');
    }
    const written = await succeed([...again, '--code', own.code]);
    expect(written['generation']).toBeGreaterThan(generation as number);
    await succeed(['usb', 'verify', own.root, '--replugged', ...phone]);
  });

  it('says that a share is of an old epoch, and writes the current one under the same code', async () => {
    const root = copyOf(foreign);
    const old = await reading(root, () => failure(['usb', 'verify', root, ...other]));
    expect(old).toMatchObject({ code: 'place/stale' });
    expect(old.hint).toContain('--again');
    expect(await succeed(['usb', 'create', root, '--again', ...other])).toMatchObject({ epoch: 1 });
    // The second slot still holds the old epoch until the stick was plugged in again.
    const verify = ['usb', 'verify', root, '--code', foreign.code, ...other];
    expect(await succeed(verify)).toMatchObject({ epoch: 1, mirrored: false });
    expect(await succeed([...verify, '--replugged'])).toMatchObject({ epoch: 1, mirrored: true });
    expect(readFileSync(slot(root, 'bak'))).toEqual(readFileSync(slot(root, 'enc')));
  });

  it('asks to unplug and plug in again where somebody is there, and completes both slots then', async () => {
    const root = emptyStick();
    const create = ['usb', 'create', root, '--show-code', ...phone];
    const done = await onTerminal(create, [['Is it back?', 'y\n']]);
    expect(done.code).toBe(0);
    expect(done.stdout).toContain('Written and verified');
    expect(done.stdout.match(/AGE-SECRET-KEY-1/g)).toHaveLength(1);
    expect(readFileSync(slot(root, 'bak'))).toEqual(readFileSync(slot(root, 'enc')));
    const later = emptyStick();
    const put = await onTerminal(['usb', 'create', later, '--show-code', ...phone], [['Is it back?', 'n\n']]);
    expect(put.stdout).toContain('--replugged');
    expect(existsSync(slot(later, 'bak'))).toBe(false);
  });

  it('repairs what is damaged and leaves alone what is not', async () => {
    const root = copyOf(stick);
    const whole = readFileSync(slot(root, 'enc'));
    expect(await reading(root, () => succeed(['usb', 'repair', root, ...phone]))).toMatchObject({
      repaired: [],
    });
    flip(slot(root, 'enc'), 100);
    flip(slot(root, 'bak.par'), 40);
    writeFileSync(join(folderOf(root), 'metadata.json'), '');
    const damage = await verifyFails(root);
    expect(damage).toMatchObject({ code: 'place/damaged' });
    expect(damage.hint).toContain('keepset usb repair');
    const { repaired } = await succeed(['usb', 'repair', root, ...phone]);
    // With its parity and the metadata gone, nothing vouches for the second slot either.
    expect(repaired).toHaveLength(4);
    expect(await succeed(['usb', 'verify', root, '--code', stick.code, ...phone])).toMatchObject({
      mirrored: true,
    });
    expect(readFileSync(slot(root, 'enc'))).toEqual(whole);
  });

  it('rescues the share from a stick that was formatted by mistake', async () => {
    const image = join(work, 'stick.img');
    closeSync(openSync(image, 'w'));
    truncateSync(image, 8 << 20);
    const ok = async (command: string, ...args: string[]): Promise<void> => {
      const { code, stderr } = await run(command, args);
      expect({ command, code, stderr }).toMatchObject({ code: 0 });
    };
    await ok('mkfs.fat', image);
    await ok('mcopy', '-i', image, '-s', folderOf(stick.root), '::/');
    await ok('mkfs.fat', image);
    const out = join(work, 'rescued');
    const { shares } = await reading(image, () =>
      succeed(['usb', 'rescue', image, '--identity', stick.codeFile, '--out', out]),
    );
    expect(shares).toMatchObject([{ keyId, party: 'phone', epoch: 0 }]);
    const [name = ''] = readdirSync(out);
    expect(readFileSync(join(out, name))).toEqual(readFileSync(slot(stick.root, 'enc')));
    const rescue = ['usb', 'rescue', image, '--out', join(work, 'nothing')];
    expect((await failure([...rescue, '--identity', foreign.codeFile])).code).toBe('place/not-found');
    expect((await failure(rescue)).code).toBe('input/invalid-argument');
    expect(existsSync(join(work, 'nothing'))).toBe(false);
  });
});

describe('a stick that is not as it should be', () => {
  it('is another stick', async () => {
    const wrong = await verifyFails(foreign.root);
    expect(wrong.code).toBe('place/foreign');
    expect(wrong.hint).toContain(stick.kit);
    expect((await verifyFails(stick.root, '--kit', foreign.kit)).code).toBe('place/foreign');
    // With its code the stick of somebody else still opens.
    expect(await succeed(['usb', 'verify', foreign.root, '--code', foreign.code, ...phone])).toMatchObject({
      by: 'code',
    });
  });

  it('is empty, or not there', async () => {
    expect((await verifyFails(emptyStick())).code).toBe('place/not-found');
    const gone = join(work, 'unplugged');
    expect((await failure(['usb', 'verify', gone, ...phone])).code).toBe('place/unreachable');
    expect((await failure(['usb', 'create', gone, '--show-code', ...phone])).code).toBe('place/unreachable');
  });

  it('holds a foreign share under its own names', async () => {
    const root = copyOf(stick);
    for (const end of ['enc', 'bak', 'enc.par', 'bak.par']) cpSync(slot(foreign.root, end), slot(root, end));
    cpSync(join(folderOf(foreign.root), 'metadata.json'), join(folderOf(root), 'metadata.json'));
    expect((await verifyFails(root)).code).toBe('place/foreign');
    expect((await verifyFails(root, '--code', stick.code)).code).toBe('place/locked');
    expect((await verifyFails(root, '--code', foreign.code)).code).toBe('place/foreign');
  });

  it('holds two containers', async () => {
    const root = copyOf(stick);
    cpSync(folderOf(foreign.root), join(root, `keepset-${foreign.kit}`), { recursive: true });
    const both = await verifyFails(root);
    expect(both.code).toBe('input/invalid-argument');
    expect(both.hint).toContain(stick.kit);
    expect(await succeed(['usb', 'verify', root, '--kit', stick.kit, ...phone])).toMatchObject({
      kit: stick.kit,
    });
  });

  it('has renamed files', async () => {
    const root = copyOf(stick);
    renameSync(slot(root, 'bak'), join(folderOf(root), 'share_party3.bak'));
    expect((await verifyFails(root)).code).toBe('place/damaged');
    const elsewhereKnown = await reading(root, () =>
      failure(['usb', 'verify', root, '--code', stick.code, ...nobody]),
    );
    expect(elsewhereKnown).toMatchObject({ code: 'place/damaged' });
    expect(elsewhereKnown.message).toContain('share_party3');
  });

  it.each(['enc', 'bak'])('has a truncated, empty, linked or missing slot .%s', async (end) => {
    const hurts: readonly ((path: string) => void)[] = [
      (path) => truncateSync(path, 200),
      (path) => truncateSync(path, 0),
      (path) => rmSync(path),
      (path) => {
        rmSync(path);
        symlinkSync('/etc/passwd', path);
      },
    ];
    for (const hurt of hurts) {
      const root = copyOf(stick);
      hurt(slot(root, end));
      expect((await verifyFails(root, ...(end === 'enc' ? [] : ['--code', stick.code]))).code).toBe(
        'place/damaged',
      );
    }
    const linked = copyOf(stick);
    rmSync(slot(linked, end));
    symlinkSync(join(work, 'phone', 'identity.txt'), slot(linked, end));
    const before = readFileSync(join(work, 'phone', 'identity.txt'));
    expect((await failure(['usb', 'repair', linked, ...phone])).code).toBe('place/foreign');
    expect(readFileSync(join(work, 'phone', 'identity.txt'))).toEqual(before);
  });

  it('has metadata of 100 MB', async () => {
    const root = copyOf(stick);
    const file = openSync(join(folderOf(root), 'metadata.json'), 'r+');
    ftruncateSync(file, 100_000_000);
    closeSync(file);
    const { code, message } = await verifyFails(root);
    expect(code).toBe('place/damaged');
    expect(message).toContain('metadata.json');
  });

  it('was cut off before its code was shown: nothing but the code makes it good', async () => {
    const own = await makeStick(phone);
    const path = join(work, 'phone', 'usb-ledger', `${own.kit}.cbor`);
    const ledger = decodeCbor(readFileSync(path)) as { copies: { state: string }[] };
    for (const copy of ledger.copies) copy.state = 'intended';
    writeFileSync(path, encodeCbor({ ...ledger }));
    const { code, hint } = await verifyFails(own.root);
    expect(code).toBe('place/damaged');
    expect(hint).toContain(`delete the folder keepset-${own.kit}`);
    for (const args of [
      ['usb', 'verify', own.root, '--replugged'],
      ['usb', 'create', own.root, '--again'],
    ])
      expect((await reading(own.root, () => failure([...args, ...phone]))).code).toBe('place/damaged');
    await succeed(['usb', 'verify', own.root, '--replugged', '--code', own.code, ...phone]);
    expect(await succeed(['usb', 'verify', own.root, ...phone])).toMatchObject({ by: 'ledger' });
    writeFileSync(path, 'nothing');
    expect((await verifyFails(own.root)).code).toBe('place/damaged');
    rmSync(path);
  });

  it('is beyond repair', async () => {
    const root = copyOf(stick);
    for (const end of ['enc', 'bak', 'enc.par', 'bak.par']) writeFileSync(slot(root, end), 'nothing');
    expect((await verifyFails(root)).code).toBe('place/damaged');
    expect((await reading(root, () => failure(['usb', 'repair', root, ...phone]))).code).toBe(
      'place/damaged',
    );
  });

  it('is opened with a wrong or mistyped code', async () => {
    expect((await verifyFails(stick.root, '--code', foreign.code)).code).toBe('place/locked');
    const at = 30;
    const wrong = stick.code[15 + at] === 'Q' ? 'P' : 'Q';
    const typo = stick.code.slice(0, 15 + at) + wrong + stick.code.slice(16 + at);
    const located = await verifyFails(stick.root, '--code', typo);
    expect(located.code).toBe('input/malformed');
    expect(located.hint).toContain(`character ${at} after`);
    expect(JSON.stringify(located)).not.toContain(typo.slice(16, 40));
    expect((await verifyFails(stick.root, '--code', 'hello')).code).toBe('input/malformed');
    writeFileSync(join(work, 'empty.txt'), '');
    expect((await verifyFails(stick.root, '--identity', join(work, 'empty.txt'))).code).toBe(
      'input/malformed',
    );
  });
});

describe('keepset kit', () => {
  const out = join(work, 'kit');
  let kit: Json;
  let pages: string[];
  const rasterise = (pdf: unknown, name: string, ...options: string[]): Promise<string[]> =>
    scan(pdf as string, join(work, `${name}-page`), ...options);
  beforeAll(async () => {
    const printed = await keepset(['kit', '--out', out, ...phone]);
    expect(printed.code).toBe(0);
    expect(printed.stdout).toContain('keep them in different places');
    expect(printed.stdout + printed.stderr).not.toContain('AGE-SECRET-KEY');
    kit = await succeed(['kit', '--out', join(work, 'kit2'), '--paper', 'Letter', ...phone]);
    pages = await rasterise(kit['shareSheets'], 'share');
  });

  it('makes two private files, each print of a generation of its own', () => {
    const files = readdirSync(out);
    expect(files.map((name) => name.replace(/^keepset-[a-z2-7]{26}-/, '')).toSorted()).toEqual([
      'code.pdf',
      'share.pdf',
    ]);
    for (const name of files) expect(statSync(join(out, name)).mode & 0o777).toBe(0o600);
    expect(kit).toMatchObject({ keyId, epoch: 0 });
    expect(kit['generation']).toBeGreaterThan(1);
  });

  it('is read back from pictures of the sheets: the share, and the code that opens it', async () => {
    // Black and white as a fax makes them, and grey.
    const code = await rasterise(kit['codeSheet'], 'code', '-mono');
    const grey = await rasterise(kit['shareSheets'], 'grey', '-gray');
    const file = join(work, 'from-paper.age');
    const read = await reading(out, () => succeed(['kit', 'read', ...grey, ...code, '--out', file]));
    expect(read).toMatchObject({ kit: kit['kit'], keyId, party: 'phone', generation: kit['generation'] });
    const typed = await typedFrom(kit['codeSheet'] as string);
    const again = join(work, 'again.age');
    await succeed(['kit', 'read', ...pages.toReversed(), '--code', typed, '--out', again]);
    expect(readFileSync(again)).toEqual(readFileSync(file));
    const { share } = await openShareFile(readFileSync(again), [typed.replaceAll(' ', '')]);
    expect(share.group.keyId).toBe(keyId);
    expect((await failure(['kit', 'read', ...pages, '--code', typed, '--out', file])).code).toBe(
      'place/exists',
    );
  });

  it('refuses pictures of nothing, half a kit, other files, and other codes', async () => {
    const file = join(work, 'refused.age');
    const read = (...args: readonly string[]): ReturnType<typeof failure> =>
      failure(['kit', 'read', ...args, '--out', file]);
    expect((await read(...pages, '--code', stick.code)).code).toBe('place/locked');
    expect((await read(...pages)).code).toBe('input/invalid-argument');
    const code = await rasterise(kit['codeSheet'], 'only-code', '-r', '100');
    expect((await read(...code, '--code', stick.code)).code).toBe('place/damaged');
    // The upper part of the first page: some of its codes.
    const part = await rasterise(kit['shareSheets'], 'part', '-l', '1', '-H', '900');
    const half = await read(...part, '--code', stick.code);
    expect(half.code).toBe('place/damaged');
    expect(half.message).toMatch(/^Only [1-9] of the \d+ codes/);
    const bad = join(work, 'bad.png');
    for (const content of [
      Buffer.alloc(0),
      Buffer.from('GIF89a'),
      readFileSync(pages[0] ?? '').subarray(0, 5000),
      // A header that promises 4 billion pixels a side.
      Buffer.concat([readFileSync(pages[0] ?? '').subarray(0, 16), Buffer.alloc(17, 0xff)]),
    ]) {
      writeFileSync(bad, content);
      expect((await keepsetJson(['kit', 'read', bad, '--out', file])).json).toMatchObject({
        error: { code: 'input/invalid-argument' },
      });
    }
    expect(existsSync(file)).toBe(false);
  });
});

/** Whether a file of the ledger is of a copy in a Finder backup. */
const isFinderEntry = (name: string): boolean =>
  readFileSync(join(work, 'phone', 'usb-ledger', name)).includes('finder-backup');

describe('keepset finder-backup', () => {
  const domain = 'AppDomain-org.example.keepset';
  const passwordFile = join(work, 'backup-password');
  // Enough rounds for a progress bar.
  const dialect = { ...modernDialect, firstRounds: 200_000 };
  const backup = join(work, 'backup');
  let share: Buffer;
  beforeAll(() => {
    share = readFileSync(slot(stick.root, 'enc'));
    writeFileSync(passwordFile, 'finder pässword\n');
    makeBackup(backup, 'finder pässword', dialect, [
      { domain, path: `Documents/shares/${keyId}.0.1.age`, content: share },
      { domain, path: `Documents/old/${keyId}.0.1.age`, content: share },
      { domain, path: 'Documents/notes.txt', content: Buffer.from('hello') },
    ]);
  });
  const extract = (folder: string, out: string): string[] => [
    'finder-backup',
    'extract',
    folder,
    '--out',
    join(work, out),
  ];

  it('finds the share files, shows how far it is, and alters nothing', async () => {
    const args = [...extract(backup, 'extracted'), '--copy-passphrase-file', passwordFile];
    const { code, stdout, stderr } = await reading(backup, () => keepset(args));
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stderr).toMatch(/█{10} 10\/10/);
    expect(stdout).toContain('Found 2 share files');
    const files = readdirSync(join(work, 'extracted'));
    expect(files.toSorted()).toEqual([`${keyId}.0.1.age`, 'share-2.age'].toSorted());
    for (const name of files) expect(readFileSync(join(work, 'extracted', name))).toEqual(share);
    expect((await failure(args)).code).toBe('place/exists');
  });

  it('says clearly that a password is wrong or missing, and that a folder is no backup', async () => {
    writeFileSync(join(work, 'wrong-password'), 'guess\n');
    const wrong = [...extract(backup, 'none'), '--copy-passphrase-file', join(work, 'wrong-password')];
    const { code, hint } = await reading(backup, () => failure(wrong));
    expect(code).toBe('input/wrong-passphrase');
    expect(hint).toContain('Finder');
    expect((await failure(extract(backup, 'none'))).code).toBe('input/invalid-argument');
    expect((await failure(extract(stick.root, 'none'))).code).toBe('place/not-found');
    expect(existsSync(join(work, 'none'))).toBe(false);
  });

  it('asks for the password three times at most, and says which time it is', async () => {
    const guesses = [1, 2, 3].map((n) => [`attempt ${n} of 3): `, 'guess\n'] as const);
    const ended = await onTerminal(extract(backup, 'none'), guesses);
    expect(ended.code).toBe(2);
    expect(ended.stdout).toContain('input/wrong-passphrase');
    expect(ended.stdout).not.toContain('guess');
    const second = await onTerminal(extract(backup, 'typed'), [
      ['attempt 1 of 3): ', 'guess\n'],
      ['attempt 2 of 3): ', 'finder pässword\n'],
    ]);
    expect(second).toMatchObject({ code: 0 });
    expect(readdirSync(join(work, 'typed'))).toHaveLength(2);
  });

  it('warns of a backup that is not encrypted, and of one without a share', async () => {
    const open = join(work, 'open-backup');
    makeBackup(open, '', { ...dialect, encrypted: false }, [
      { domain, path: 'Documents/a b.age', content: share },
    ]);
    const { code, stdout, stderr } = await keepset(extract(open, 'from-open'));
    expect({ code, stdout }).toMatchObject({ code: 0 });
    expect(stderr).toContain('not encrypted');
    expect(readdirSync(join(work, 'from-open'))).toEqual(['share-1.age']);
    const none = join(work, 'backup-without');
    makeBackup(none, '', { ...dialect, encrypted: false }, [
      { domain, path: 'Documents/notes.txt', content: Buffer.from('hello') },
    ]);
    expect((await failure(extract(none, 'none'))).code).toBe('place/not-found');
  });

  it('adds nothing but a copy of this device’s share in an encrypted backup, and alters nothing in it', async () => {
    const made = (name: string, content: Uint8Array, over: Partial<typeof modernDialect> = {}): string => {
      const folder = join(work, name);
      makeBackup(folder, 'finder pässword', { ...modernDialect, ...over }, [
        { domain, path: 'Documents/copy.age', content },
      ]);
      return folder;
    };
    const password = ['--copy-passphrase-file', passwordFile];
    const add = (folder: string, ...more: string[]): ReturnType<typeof failure> =>
      reading(folder, () => failure(['finder-backup', 'add', folder, ...more, ...phone]));
    const own = ['--code', stick.code, ...password];
    const good = made('good', share);
    expect((await add(good, '--code', stick.code)).hint).toContain('--copy-passphrase-file');
    expect((await add(good, ...password)).code).toBe('input/invalid-argument');
    const wrong = ['--copy-passphrase-file', join(work, 'wrong-password')];
    expect((await add(good, '--code', stick.code, ...wrong)).code).toBe('input/wrong-passphrase');
    expect((await add(good, '--code', foreign.code, ...password)).code).toBe('place/locked');
    expect((await add(stick.root, ...own)).code).toBe('place/not-found');
    expect((await add(made('no-share', Buffer.from('hello')), ...own)).code).toBe('place/not-found');
    expect((await add(made('nameless', share, { phone: '-' }), ...own)).code).toBe('place/damaged');
    const open = await add(made('open', share, { encrypted: false }), ...own);
    expect(open).toMatchObject({ code: 'input/unsupported' });
    expect(open.hint).toContain('Encrypt local backup');
    const theirs = made('theirs', readFileSync(slot(foreign.root, 'enc')));
    const others = await add(theirs, '--code', foreign.code, ...password);
    expect(others.code).toBe('place/foreign');
    expect(others.message).toContain('laptop’s share');
    rmSync(join(good, 'Manifest.db'));
    expect((await add(good, ...own)).hint).toContain('later system');
    expect(readdirSync(join(work, 'phone', 'usb-ledger')).filter(isFinderEntry)).toEqual([]);
  });
});
