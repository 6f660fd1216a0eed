/** What must never be seen: shares in clear, anywhere but in the memory of their owners. */
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { KeepsetError, toBase64, toBase64Url, toHex, utf8ToBytes } from '@keepset/bytes';
import { runKeygen, runSign, type GroupKey, type Scheme } from '@keepset/ceremony';
import { startServer, type RunningServer } from '@keepset/server';
import { parseInvite, printInvite } from '@keepset/transport';
import { openDatabase } from '../../apps/server/src/store/database.ts';
import { logStore } from '../../apps/server/src/store/log.ts';
import { partyStore } from '../../apps/server/src/store/party.ts';
import { loadIdentity, loadLogSigner, serverSecrets } from '../../apps/server/src/secrets/identity.ts';
import { fileKek } from '../../apps/server/src/secrets/kek.ts';
import { shareSealer } from '../../apps/server/src/secrets/shares.ts';
import { newDevice, type TestDevice } from '../support/device.ts';
import { temporaryFolder } from '../support/folders.ts';
import { bin, keepset, serve, serverFolders, start, type Ended } from '../support/processes.ts';
import { startProxy, type Proxy } from '../support/proxy.ts';
import { serverOptions } from '../support/server.ts';

// Many real processes or runs: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const request = { message: utf8ToBytes('hello'), digest: 'none' } as const;
const schemes: readonly Scheme[] = ['ed25519', 'schnorr-secp256k1'];

/** Every way in which a scalar could be written by mistake. */
const writings = (secret: Uint8Array): Buffer[] => {
  const reversed = Uint8Array.from(secret).reverse();
  const texts = [secret, reversed].flatMap((bytes) => [
    toHex(bytes),
    toHex(bytes).toUpperCase(),
    toBase64(bytes).replace(/=+$/, ''),
    toBase64Url(bytes),
    BigInt(`0x${toHex(bytes)}`).toString(),
    // As JSON and inspect print arrays.
    [...bytes].join(','),
    [...bytes].join(', '),
  ]);
  return [Buffer.from(secret), Buffer.from(reversed), ...texts.map((text) => Buffer.from(text))];
};

const isIn = (haystack: Uint8Array, secret: Uint8Array): boolean =>
  writings(secret).some((writing) => Buffer.from(haystack).includes(writing));

const filesIn = (folder: string): Buffer[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name)));

/** The server's own share of a key, opened as the server opens it. */
const serverShare = async (
  dataDir: string,
  kekFile: string,
  tenant: string,
  keyId: string,
): Promise<Uint8Array> => {
  const database = openDatabase(join(dataDir, 'keepset.db'));
  try {
    const kek = fileKek(kekFile, { create: false });
    const secrets = serverSecrets(database, kek);
    const identity = await loadIdentity(secrets);
    const log = logStore(database, await loadLogSigner(secrets, `keepset.log/${identity.signer.keyId}`));
    const row = await partyStore(database, log, () => 0).findKey(tenant, keyId);
    if (row === undefined) throw new Error(`the server has no key ${keyId}`);
    const share = await shareSealer(kek, 'server').open(tenant, row);
    return Uint8Array.from(share.secret.reveal());
  } finally {
    database.close();
  }
};

/** Inverts one byte of a sealed share; a negative index counts from the end. */
const flipByte = (database: DatabaseSync, keyId: string, at: number): void => {
  const row = database.prepare('SELECT sealed_share FROM keys WHERE key_id = ?').get(keyId);
  const sealed = row?.['sealed_share'];
  if (!(sealed instanceof Uint8Array)) throw new Error(`there is no share of ${keyId}`);
  const changed = sealed.with(at, ~sealed.at(at)! & 0xff);
  database.prepare('UPDATE keys SET sealed_share = ? WHERE key_id = ?').run(changed, keyId);
};

describe('share scalars', () => {
  const folder = temporaryFolder();
  let server: RunningServer;
  let proxy: Proxy;
  let phone: TestDevice;
  const secrets: Uint8Array[] = [];
  beforeAll(async () => {
    server = await startServer(serverOptions(folder));
    proxy = await startProxy(server.url);
    const { code } = parseInvite(server.invite());
    phone = await newDevice(printInvite({ server: proxy.url, code, pin: proxy.pin }));
    for (const scheme of schemes) {
      const { keyId } = await runKeygen(phone.device, { scheme, policy: 'and(server,phone)' });
      await runSign(phone.device, { keyId, request });
      const share = await phone.device.vault.open(keyId);
      const { dataDir, kekFile } = serverOptions(folder);
      secrets.push(
        Uint8Array.from(share.secret.reveal()),
        await serverShare(dataDir, kekFile, phone.account.tenant, keyId),
      );
    }
  });
  afterAll(async () => {
    phone.close();
    await proxy.close();
    await server.close();
  });

  it('are found by this very search where they do stand, in whatever writing', () => {
    expect(secrets).toHaveLength(4);
    expect(new Set(secrets.map(toHex)).size).toBe(4);
    for (const secret of secrets) {
      expect(secret).toHaveLength(32);
      for (const text of [toHex(secret), toBase64(secret), JSON.stringify([...secret])])
        expect(isIn(utf8ToBytes(`{"share":"${text}"}`), secret)).toBe(true);
    }
  });

  it('are in no body and no header that went between device and server', () => {
    expect(proxy.seen.length).toBeGreaterThan(5);
    for (const { request: sent, answer } of proxy.seen) {
      const headers = utf8ToBytes(JSON.stringify([sent.headers, answer.headers]));
      for (const secret of secrets)
        for (const bytes of [sent.body, answer.body, headers]) expect(isIn(bytes, secret)).toBe(false);
    }
  });

  it('are in no file of the server and in no file of the device', () => {
    const files = [...filesIn(folder), ...filesIn(phone.home)];
    expect(files.length).toBeGreaterThan(6);
    for (const file of files) for (const secret of secrets) expect(isIn(file, secret)).toBe(false);
  });
});

describe('what processes print', () => {
  it('holds no share, however much they are asked to say and whatever goes wrong', async () => {
    const folders = serverFolders();
    const home = temporaryFolder();
    const letter = join(home, 'letter');
    writeFileSync(letter, 'hello');
    const server = await serve(folders, ['--port', '0', '--log-level', 'debug']);
    const outputs: Ended[] = [];
    const command = async (...args: string[]) => {
      outputs.push(await keepset([...args, '--home', home]));
      return outputs.at(-1)!;
    };
    await command('enroll', server.invitation ?? '');
    const { stdout } = await command('keygen', '--json');
    const { keyId } = JSON.parse(stdout) as { keyId: string };
    await command('sign', letter, '--out', '-');
    await command('show');
    // A damaged share file, and a server that finds its own share damaged.
    const [copy] = readdirSync(join(home, 'shares'));
    const path = join(home, 'shares', copy!);
    const good = readFileSync(path);
    writeFileSync(path, good.subarray(0, -1));
    expect(await command('sign', letter, '--out', '-')).toMatchObject({ code: 6 });
    writeFileSync(path, good);
    const database = new DatabaseSync(join(folders.data, 'keepset.db'));
    const { tenant } = database.prepare('SELECT tenant FROM keys').get() as { tenant: string };
    database.close();
    const secret = await serverShare(folders.data, folders.kek, tenant, keyId);
    const damaged = new DatabaseSync(join(folders.data, 'keepset.db'));
    flipByte(damaged, keyId, -1);
    damaged.close();
    expect(await command('sign', letter, '--out', '-')).toMatchObject({ code: 7 });
    outputs.push(await server.stop());
    expect(outputs.at(-1)!.stderr).toContain('store/damaged');

    const identity = readFileSync(join(home, 'identity.txt'), 'utf8');
    const ageKey = /AGE-SECRET-KEY-1[A-Z0-9]+/.exec(identity)![0];
    const kek = readFileSync(folders.kek, 'utf8').trim();
    for (const { stdout: out, stderr } of outputs) {
      const all = utf8ToBytes(out + stderr);
      expect(isIn(all, secret)).toBe(false);
      expect(out + stderr).not.toContain(ageKey);
      expect(out + stderr).not.toContain(kek);
    }
  });

  it('holds no passphrase that was given wrongly', async () => {
    const running = start(process.execPath, [bin, 'keys', '--home', temporaryFolder()], {
      env: { KEEPSET_PASSPHRASE: 'tell nobody about this' },
    });
    const { stdout, stderr } = await running.ended;
    expect(stdout + stderr).not.toContain('tell nobody');
  });
});

describe('shares at rest', () => {
  const folder = temporaryFolder();
  const { dataDir } = serverOptions(folder);
  let server: RunningServer;
  let phone: TestDevice;
  let laptop: TestDevice;
  let first: GroupKey;
  let second: GroupKey;
  let foreign: GroupKey;
  beforeAll(async () => {
    server = await startServer(serverOptions(folder));
    phone = await newDevice(server.invite());
    laptop = await newDevice(server.invite(), 'laptop');
    first = await runKeygen(phone.device, { scheme: 'ed25519', policy: 'and(server,phone)' });
    second = await runKeygen(phone.device, { scheme: 'ed25519', policy: 'and(server,phone)' });
    foreign = await runKeygen(laptop.device, { scheme: 'ed25519', policy: 'and(server,laptop)' });
  });
  afterAll(async () => {
    phone.close();
    laptop.close();
    await server.close();
  });

  const codeOf = async (device: TestDevice, { keyId }: GroupKey): Promise<string> => {
    try {
      await runSign(device.device, { keyId, request });
      return 'signed';
    } catch (error) {
      return error instanceof KeepsetError ? error.code : String(error);
    }
  };
  /** Changes the database under the running server, and puts it back afterwards. */
  const withChange = async (
    change: (database: DatabaseSync) => void,
    check: () => Promise<void>,
  ): Promise<void> => {
    const database = new DatabaseSync(join(dataDir, 'keepset.db'));
    const kept = database.prepare('SELECT tenant, key_id, epoch, sealed_share FROM keys').all();
    try {
      change(database);
      await check();
    } finally {
      const back = database.prepare(
        'UPDATE keys SET epoch = ?, sealed_share = ? WHERE tenant = ? AND key_id = ?',
      );
      for (const { tenant, key_id: keyId, epoch, sealed_share: sealed } of kept)
        back.run(epoch ?? null, sealed ?? null, tenant ?? null, keyId ?? null);
      database.close();
    }
    expect(await codeOf(phone, first)).toBe('signed');
    expect(await codeOf(laptop, foreign)).toBe('signed');
  };
  const sealedOf = ({ keyId }: GroupKey): string =>
    `(SELECT sealed_share FROM keys WHERE key_id = '${keyId}')`;
  const execute = (sql: string) => (database: DatabaseSync) => database.exec(sql);

  it('do not open under another key of the same user', () =>
    withChange(
      execute(`UPDATE keys SET sealed_share = ${sealedOf(second)} WHERE key_id = '${first.keyId}'`),
      async () => {
        expect(await codeOf(phone, first)).toBe('store/damaged');
        expect(await codeOf(phone, second)).toBe('signed');
      },
    ));

  it('do not open for another user', () =>
    withChange(
      execute(
        `UPDATE keys SET sealed_share = ${sealedOf(foreign)} WHERE key_id = '${first.keyId}';
         UPDATE keys SET sealed_share = ${sealedOf(second)} WHERE key_id = '${foreign.keyId}'`,
      ),
      async () => {
        expect(await codeOf(phone, first)).toBe('store/damaged');
        expect(await codeOf(laptop, foreign)).toBe('store/damaged');
      },
    ));

  it.each([0, 8, 40, 100, 300, -20, -1])('do not open with byte %i changed', (at) =>
    withChange(
      (database) => flipByte(database, first.keyId, at),
      async () => {
        expect(await codeOf(phone, first)).toBe('store/damaged');
      },
    ),
  );

  it('of a frozen key, or of another epoch, are not used', async () => {
    await withChange(execute(`UPDATE keys SET epoch = 1 WHERE key_id = '${first.keyId}'`), async () => {
      expect(await codeOf(phone, first)).toBe('abort/wrong-epoch');
    });
    const database = new DatabaseSync(join(dataDir, 'keepset.db'));
    database.exec(`UPDATE keys SET state = 'frozen' WHERE key_id = '${first.keyId}'`);
    expect(await codeOf(phone, first)).toBe('policy/frozen');
    database.exec(`UPDATE keys SET state = 'active'`);
    database.close();
    expect(await codeOf(phone, first)).toBe('signed');
  });

  it('a copy of the data folder does not open without the key-encryption key, nor with another', async () => {
    const elsewhere = temporaryFolder();
    const stolen = serverOptions(elsewhere, { dataDir, kekFile: join(elsewhere, 'kek') });
    const startCode = async (): Promise<string> => {
      try {
        await (await startServer(stolen)).close();
        return 'started';
      } catch (error) {
        return error instanceof KeepsetError ? error.code : String(error);
      }
    };
    const port = Number(new URL(server.url).port);
    await server.close();
    expect(await startCode()).toBe('store/unavailable');
    expect(readdirSync(elsewhere)).toEqual([]);
    writeFileSync(stolen.kekFile, `${'ab'.repeat(32)}\n`, { mode: 0o600 });
    expect(await startCode()).toBe('store/damaged');
    writeFileSync(stolen.kekFile, 'not a key', { mode: 0o600 });
    expect(await startCode()).toBe('store/damaged');
    rmSync(stolen.kekFile);
    writeFileSync(stolen.kekFile, `${'ab'.repeat(32)}\n`, { mode: 0o644 });
    expect(await startCode()).toBe('store/unavailable');
    server = await startServer(serverOptions(folder, { port }));
    expect(await codeOf(phone, first)).toBe('signed');
  });
});
