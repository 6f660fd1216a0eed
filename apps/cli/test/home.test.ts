/** The files of a device: whole or not there, damaged or read, and never quietly replaced. */
import { chmodSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { KeepsetError, toHex, utf8ToBytes } from '@keepset/bytes';
import type { OpenSession, ShareVault } from '@keepset/ceremony';
import { encodeIdentityFile, generateIdentity } from '@keepset/wire';
import { temporaryFolder } from '../../../tests/support/folders.ts';
import { silentTerminal } from '../../../tests/support/device.ts';
import { firstLine, start } from '../../../tests/support/processes.ts';
import { loadAccount, saveAccount, type Account } from '../src/home/account.ts';
import { listIfThere, readIfThere, removeDurably, writeDurably } from '../src/home/files.ts';
import { fileJournal } from '../src/home/journal.ts';
import { findKeyId } from '../src/home/keys.ts';
import { fileLock } from '../src/home/lock.ts';
import { fileLogPin } from '../src/home/log-pin.ts';
import { givenPassphrase, obtainNewPassphrase, openWithPassphrase } from '../src/home/passphrase.ts';
import { homePaths } from '../src/home/paths.ts';
import { withUnlocked } from '../src/places/unlock.ts';

const codeOf = async (work: () => unknown): Promise<string> => {
  try {
    await work();
    return 'accepted';
  } catch (error) {
    return error instanceof KeepsetError ? error.code : String(error);
  }
};
afterEach(() => vi.unstubAllEnvs());

describe('files', () => {
  it('are written whole, for their owner alone, with nothing left beside them', async () => {
    const folder = join(temporaryFolder(), 'a', 'b');
    const path = join(folder, 'file');
    await writeDurably(path, 'one');
    await writeDurably(path, utf8ToBytes('two'));
    expect(readFileSync(path, 'utf8')).toBe('two');
    expect(readdirSync(folder)).toEqual(['file']);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  it('that are not there are nothing, and can be removed', async () => {
    const path = join(temporaryFolder(), 'nowhere', 'file');
    expect(await readIfThere(path)).toBeUndefined();
    expect(await listIfThere(path)).toEqual([]);
    expect(await codeOf(() => removeDurably(path))).toBe('accepted');
  });

  it('that cannot be used say why', async () => {
    const folder = temporaryFolder();
    const file = join(folder, 'file');
    writeFileSync(file, 'x');
    expect(await codeOf(() => writeDurably(join(file, 'inner'), 'y'))).toMatch(/^place\//);
    expect(await codeOf(() => readIfThere(folder))).toMatch(/^place\//);
    expect(await codeOf(() => listIfThere(file))).toMatch(/^place\//);
    mkdirSync(join(folder, 'taken'));
    expect(await codeOf(() => writeDurably(join(folder, 'taken'), 'y'))).toMatch(/^place\//);
    expect(readdirSync(folder).sort()).toEqual(['file', 'taken']);
  });
});

describe('the journal', () => {
  const entry = (n: number): OpenSession => ({
    session: new Uint8Array(32).fill(n),
    kind: 'keygen',
    keyId: 'a'.repeat(26),
    epoch: n,
  });

  it('keeps entries until they are removed, over restarts', async () => {
    const folder = join(temporaryFolder(), 'journal');
    expect(await fileJournal(folder).list()).toEqual([]);
    await fileJournal(folder).add(entry(1));
    await fileJournal(folder).add(entry(2));
    await fileJournal(folder).add(entry(2));
    const listed = await fileJournal(folder).list();
    expect(new Set(listed.map(({ epoch }) => epoch))).toEqual(new Set([1, 2]));
    expect(listed).toHaveLength(2);
    await fileJournal(folder).remove(entry(1).session);
    await fileJournal(folder).remove(entry(1).session);
    expect(await fileJournal(folder).list()).toMatchObject([{ epoch: 2, keyId: 'a'.repeat(26) }]);
  });

  it('knows which session leaves the device without a share', async () => {
    const journal = fileJournal(join(temporaryFolder(), 'journal'));
    await journal.add({ ...entry(1), kind: 'reshare', leaves: true });
    expect(await journal.list()).toEqual([{ ...entry(1), kind: 'reshare', leaves: true }]);
    await journal.remove(entry(1).session);
    expect(await journal.list()).toEqual([]);
  });

  it('is looked at where a device is unlocked without its server', async () => {
    const home = temporaryFolder();
    const paths = homePaths({ home });
    await writeDurably(
      paths.identity,
      encodeIdentityFile(await generateIdentity(), '2026-01-01T00:00:00Z').reveal(),
    );
    const notes: string[] = [];
    const terminal = { ...silentTerminal, note: (text: string) => notes.push(text) };
    const unlock = () => withUnlocked({ home }, terminal, () => Promise.resolve());
    await unlock();
    expect(notes).toEqual([]);
    await fileJournal(paths.journal).add(entry(1));
    await unlock();
    expect(notes).toEqual([expect.stringContaining('an earlier ceremony was cut off')]);
  });

  it('cannot be held up by damage, and overlooks files that are not its own', async () => {
    const folder = join(temporaryFolder(), 'journal');
    const journal = fileJournal(folder);
    await journal.add(entry(1));
    const [name = ''] = readdirSync(folder);
    writeFileSync(join(folder, name), 'rotten');
    writeFileSync(join(folder, '.0123456789ab.tmp'), 'cut off');
    writeFileSync(join(folder, 'README'), 'hello');
    writeFileSync(join(folder, `${name}.bak`), '');
    expect(await journal.list()).toEqual([entry(1)]);
  });
});

describe('the lock', () => {
  it('lets one work run at a time, in whatever order they come', async () => {
    const path = join(temporaryFolder(), 'new', 'lock');
    let inside = 0;
    const order: number[] = [];
    const work = (n: number) => async () => {
      inside += 1;
      expect(inside).toBe(1);
      await new Promise((resolve) => setImmediate(resolve));
      inside -= 1;
      order.push(n);
      return n;
    };
    const done = await Promise.all([0, 1, 2, 3, 4].map((n) => fileLock(path)(work(n))));
    expect(done).toEqual([0, 1, 2, 3, 4]);
    expect(order).toHaveLength(5);
  });

  it('is free again when the work has failed, and when its process was killed', async () => {
    const path = join(temporaryFolder(), 'lock');
    const failing = fileLock(path)(() => Promise.reject(new Error('no')));
    await expect(failing).rejects.toThrow('no');
    const script = `
      const { fileLock } = await import(${JSON.stringify(new URL('../src/home/lock.ts', import.meta.url).href)});
      await fileLock(${JSON.stringify(path)})(() => new Promise((resolve) => {
        console.log('locked');
        setTimeout(resolve, 600_000);
      }));`;
    const holder = start(process.execPath, ['--input-type=module', '--eval', script]);
    expect(await firstLine(holder)).toBe('locked');
    let isFree = false;
    const waiting = fileLock(path)(() => {
      isFree = true;
      return Promise.resolve();
    });
    // It is held for as long as the process lives: other work of this one goes on meanwhile.
    await new Promise((resolve) => setImmediate(resolve));
    expect(isFree).toBe(false);
    holder.child.kill('SIGKILL');
    await waiting;
    expect(isFree).toBe(true);
  });
});

describe('the pinned log head', () => {
  const lockOf = (path: string) => fileLock(`${path}.lock`);
  const head = (size: number) => ({ size, root: new Uint8Array(32).fill(size) });

  it('only ever grows', async () => {
    const path = join(temporaryFolder(), 'head');
    const pin = fileLogPin(path, lockOf(path));
    expect(await pin.load()).toBeUndefined();
    await pin.save(head(2));
    await fileLogPin(path, lockOf(path)).save(head(1));
    expect(await fileLogPin(path, lockOf(path)).load()).toMatchObject({ size: 2 });
    await pin.save(head(3));
    expect(await fileLogPin(path, lockOf(path)).load()).toMatchObject({ size: 3 });
  });

  it('never goes back, however many save at once', async () => {
    const path = join(temporaryFolder(), 'head');
    const sizes = [5, 9, 1, 7, 3, 8, 2, 6];
    await Promise.all(sizes.map((size) => fileLogPin(path, lockOf(path)).save(head(size))));
    expect(await fileLogPin(path, lockOf(path)).load()).toEqual(head(9));
  });

  it('is not started anew when damaged: that would hide what it is there to show', async () => {
    const path = join(temporaryFolder(), 'head');
    for (const text of ['', 'damaged']) {
      writeFileSync(path, text);
      expect(await codeOf(() => fileLogPin(path, lockOf(path)).load())).toBe('place/damaged');
      expect(await codeOf(() => fileLogPin(path, lockOf(path)).save(head(1)))).toBe('place/damaged');
      expect(readFileSync(path, 'utf8')).toBe(text);
    }
  });
});

describe('the account', () => {
  const account: Account = {
    server: 'https://127.0.0.1:7443',
    pin: new Uint8Array(32).fill(1),
    serverParty: 'server',
    serverKey: new Uint8Array(33).fill(2),
    logKey: 'keepset.log/x+00000000+AA',
    tenant: 't',
    device: 'd',
    party: 'phone',
  };

  it('is read as it was written, with or without a pin', async () => {
    const path = join(temporaryFolder(), 'account');
    const { pin: _pin, ...unpinned } = account;
    for (const each of [account, unpinned]) {
      await saveAccount(path, each);
      const { serverKey, ...rest } = await loadAccount(path);
      expect(toHex(serverKey)).toBe(toHex(each.serverKey));
      expect(Object.keys(rest).sort()).toEqual(
        Object.keys(each)
          .filter((name) => name !== 'serverKey')
          .sort(),
      );
      expect(rest).toMatchObject({ server: each.server, tenant: 't', device: 'd', party: 'phone' });
    }
  });

  it('that is missing or damaged says what to do, or which file', async () => {
    const path = join(temporaryFolder(), 'account');
    expect(await codeOf(() => loadAccount(path))).toBe('input/not-enrolled');
    writeFileSync(path, 'damaged');
    expect(await codeOf(() => loadAccount(path))).toBe('place/damaged');
  });
});

describe('naming a key', () => {
  const ids = ['abcd'.padEnd(26, 'x'), 'abef'.padEnd(26, 'x'), 'wxyz'.padEnd(26, 'x')];
  const vaultOf = (keys: readonly string[]): ShareVault =>
    ({ list: () => Promise.resolve(keys) }) as unknown as ShareVault;

  it('by its id, or its beginning in whatever case', async () => {
    for (const text of [ids[2], 'w', 'WXYZ']) expect(await findKeyId(vaultOf(ids), text)).toBe(ids[2]);
    expect(await findKeyId(vaultOf(ids.slice(0, 1)), undefined)).toBe(ids[0]);
  });

  it('by nothing, or by too little, when there are several; by what is not there', async () => {
    expect(await codeOf(() => findKeyId(vaultOf(ids), undefined))).toBe('input/invalid-argument');
    expect(await codeOf(() => findKeyId(vaultOf(ids), 'ab'))).toBe('input/invalid-argument');
    expect(await codeOf(() => findKeyId(vaultOf(ids), 'q'))).toBe('input/unknown-key');
    expect(await codeOf(() => findKeyId(vaultOf([]), undefined))).toBe('input/unknown-key');
  });
});

describe('passphrases', () => {
  const inFile = (text: string) => {
    const file = join(temporaryFolder(), 'passphrase');
    writeFileSync(file, text);
    return { 'passphrase-file': file };
  };

  it('come from a file, without its one line end, before the environment', async () => {
    vi.stubEnv('KEEPSET_PASSPHRASE', 'from the environment');
    for (const [text, expected] of [
      ['from a file\n', 'from a file'],
      ['from a file\r\n', 'from a file'],
      ['two\nlines\n', 'two\nlines'],
      [' blanks stay ', ' blanks stay '],
    ] as const)
      expect(await givenPassphrase(inFile(text))).toBe(expected);
    expect(await givenPassphrase({})).toBe('from the environment');
  });

  it('that are new have eight characters at least', async () => {
    expect(await codeOf(() => obtainNewPassphrase(inFile('1234567'), silentTerminal))).toBe(
      'input/invalid-argument',
    );
    expect(await obtainNewPassphrase(inFile('12345678'), silentTerminal)).toBe('12345678');
  });

  it('that are new and typed are typed twice alike', async () => {
    const typing = (...answers: string[]) => ({
      ...silentTerminal,
      askSecret: () => Promise.resolve(answers.shift() ?? ''),
    });
    expect(await obtainNewPassphrase({}, typing('correct horse', 'correct horse'))).toBe('correct horse');
    expect(await codeOf(() => obtainNewPassphrase({}, typing('correct horse', 'correct hose')))).toBe(
      'input/invalid-argument',
    );
  });

  it('that are typed may be wrong twice, and which time it is is said', async () => {
    const open = async (passphrase: string): Promise<string> => {
      if (passphrase === 'correct horse') return 'open';
      throw new KeepsetError('input/wrong-passphrase', 'wrong');
    };
    const typing = (...answers: string[]): readonly [Promise<string>, readonly string[]] => {
      const asked: string[] = [];
      const terminal = {
        ...silentTerminal,
        askSecret: (question: string) => {
          asked.push(question);
          return Promise.resolve(answers.shift() ?? '');
        },
      };
      return [openWithPassphrase({}, terminal, 'Passphrase', open), asked];
    };
    const [third, asked] = typing('a', 'b', 'correct horse');
    expect(await third).toBe('open');
    expect(asked).toEqual([1, 2, 3].map((n) => `Passphrase (attempt ${n} of 3): `));
    const [none, askedToo] = typing('a', 'b', 'c', 'correct horse');
    expect(await codeOf(() => none)).toBe('input/wrong-passphrase');
    expect(askedToo).toHaveLength(3);
    // One that was given is not asked for.
    expect(await codeOf(() => openWithPassphrase(inFile('wrong'), silentTerminal, 'Passphrase', open))).toBe(
      'input/wrong-passphrase',
    );
  });

  it('in a file that cannot be read', async () => {
    expect(await codeOf(() => givenPassphrase({ 'passphrase-file': '/nowhere/at/all' }))).toBe(
      'input/invalid-argument',
    );
  });
});

describe('the folder', () => {
  it('is named by option, environment, or stands in the user’s own', () => {
    vi.stubEnv('KEEPSET_HOME', '/from/environment');
    expect(homePaths({ home: '/from/option' }).root).toBe('/from/option');
    expect(homePaths({}).root).toBe('/from/environment');
    vi.stubEnv('KEEPSET_HOME', undefined);
    expect(homePaths({}).root).toMatch(/\.keepset$/);
    expect(new Set(Object.values(homePaths({}))).size).toBe(Object.keys(homePaths({})).length);
  });

  it('that others may enter is not used for shares', async () => {
    const { openFilePlace } = await import('@keepset/places');
    const shares = join(temporaryFolder(), 'shares');
    mkdirSync(shares);
    chmodSync(shares, 0o755);
    expect(await codeOf(() => openFilePlace(shares))).toBe('place/foreign');
  });
});
