/**
 * The page for passkeys, asked over real connections by whoever is no browser, or not the right one; and what lies
 * beside a copy, after a cloud drive had it.
 */
import { createECDH, createHash, webcrypto } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { browserPasskey, createPasskey, encodePasskeyName, type PasskeyName } from '@keepset/places';
import { openShareFile } from '@keepset/wire';
import { codeOf } from '../../../packages/places/test/contract.ts';
import { makeWriter } from '../../../packages/places/test/shares.ts';
import { temporaryFolder } from '../../../tests/support/folders.ts';
import { homePaths } from '../src/home/paths.ts';
import { openRelay, type Relay } from '../src/passkey/relay.ts';
import { findPasskey, lookAtPasskey, removePasskey, writePasskey } from '../src/passkey/way.ts';
import { adoptedKit, foundKit } from '../src/places/adopt.ts';

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

let relay: Relay;
beforeEach(async () => {
  relay = await openRelay({ title: 'Test', steps: ['First.', 'Second.'] });
});
afterEach(() => relay.close('failed'));

const send = (
  method: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  body: string | Uint8Array = '',
  host = '127.0.0.1',
): Promise<Reply> =>
  new Promise((resolve, reject) => {
    const sent = request({
      host,
      port: relay.port,
      method,
      path,
      headers: { host: `localhost:${relay.port}`, ...headers },
    });
    sent.on('error', reject);
    sent.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
      );
    });
    sent.end(body);
  });
/** As the page itself asks. */
const post = (path: string, body?: string | Uint8Array, code = relay.code): Promise<Reply> =>
  send(
    'POST',
    path,
    { origin: `http://localhost:${relay.port}`, authorization: `Bearer ${code}` },
    body ?? '',
  );

const publicKeyOfPage = async (): Promise<string> =>
  / data-key="([\w-]{87})"/.exec((await send('GET', '/')).body)?.[1] ?? '';

/** Seals with the other cryptography of Node, as a browser does. */
const seal = async (
  answer: Uint8Array<ArrayBuffer>,
  label: string,
  publicKey: string,
): Promise<Uint8Array> => {
  const { subtle } = webcrypto;
  const curve = { name: 'ECDH', namedCurve: 'P-256' };
  const theirs = Buffer.from(publicKey, 'base64url');
  const own = await subtle.generateKey(curve, false, ['deriveBits']);
  const ownPublic = Buffer.from(await subtle.exportKey('raw', own.publicKey));
  const to = { name: 'ECDH', public: await subtle.importKey('raw', theirs, curve, false, []) };
  const shared = await subtle.deriveBits(to, own.privateKey, 256);
  const secret = await subtle.importKey('raw', shared, 'HKDF', false, ['deriveKey']);
  const salt = Buffer.concat([ownPublic, theirs]);
  const key = await subtle.deriveKey(
    { name: 'HKDF', hash: 'SHA-256', salt, info: Buffer.from(label) },
    secret,
    { name: 'AES-GCM', length: 256 },
    false,
    ['encrypt'],
  );
  const box = await subtle.encrypt({ name: 'AES-GCM', iv: new Uint8Array(12) }, key, answer);
  return Buffer.concat([ownPublic, Buffer.from(box)]);
};
const answerTo = async (id: number, answer: Uint8Array<ArrayBuffer>): Promise<Reply> =>
  post(`/answer/${id}`, await seal(answer, `keepset/passkey-answer/v1/${id}`, await publicKeyOfPage()));

const party = { id: 'localhost', name: 'Keepset' };
const evaluate = (): Promise<readonly [Uint8Array, Uint8Array]> =>
  browserPasskey(relay.credentials, party, Uint8Array.of(1, 2, 3)).evaluate(
    Uint8Array.of(4),
    Uint8Array.of(5),
  );

describe('the page', () => {
  it('is served on both loopback addresses and no other, without anything secret, and runs only its own script', async () => {
    const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
    const isThere = addresses.some(({ address }) => address === '::1');
    for (const host of isThere ? ['127.0.0.1', '::1'] : ['127.0.0.1']) {
      const { status, headers, body } = await send('GET', '/', {}, '', host);
      expect(status).toBe(200);
      expect(headers['content-security-policy']).toMatch(/^default-src 'none'; script-src 'self';/);
      expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
      expect(headers).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
      expect(body).not.toContain(relay.code);
    }
    for (const { address } of addresses.filter(({ internal, family }) => !internal && family === 'IPv4'))
      await expect(send('GET', '/', {}, '', address)).rejects.toThrow('ECONNREFUSED');
    for (const path of ['/../package.json', '/relay.ts', '/next', '/index.html'])
      expect((await send('GET', path)).status).toBe(404);
    expect((await send('PUT', '/')).status).toBe(405);
  });

  it('asks nothing of, and takes nothing from, another host name, another site, or one without the code', async () => {
    const asked = evaluate();
    const origin = `http://localhost:${relay.port}`;
    const authorization = `Bearer ${relay.code}`;
    for (const path of ['/next', '/answer/1', '/refusal/1', '/gone']) {
      // A name that an attacker points to this computer (DNS rebinding), and the address itself.
      for (const host of [`evil.example:${relay.port}`, `127.0.0.1:${relay.port}`, 'localhost'])
        expect(await send('POST', path, { host, origin, authorization })).toMatchObject({
          status: 421,
          body: '',
        });
      // Another site, or another program's page at localhost.
      for (const other of ['https://evil.example', 'http://localhost:1', 'null'])
        expect(await send('POST', path, { origin: other, authorization })).toMatchObject({
          status: 403,
          body: '',
        });
      expect(await send('POST', path, { authorization })).toMatchObject({ status: 403, body: '' });
      if (path !== '/gone')
        expect(await send('POST', path, { origin })).toMatchObject({ status: 401, body: '' });
    }
    // Still asked, by the page alone.
    const { body } = await post('/next');
    expect(JSON.parse(body)).toMatchObject({ id: 1, kind: 'get', text: 'First.', step: 1, steps: 2 });
    const values = Uint8Array.from({ length: 64 }, (_, i) => i);
    const answered = answerTo(1, values);
    const [first, second] = await asked;
    expect([...first, ...second]).toEqual([...values]);
    await relay.close('done');
    expect(JSON.parse((await answered).body)).toEqual({ end: 'done' });
    await expect(post('/next')).rejects.toThrow('ECONNREFUSED');
  });

  it('ends when somebody guesses at the code', async () => {
    const asked = codeOf(evaluate());
    for (let i = 1; i <= 5; i += 1) expect((await post('/next', '', 'aaaaaaaa')).status).toBe(401);
    expect(await asked).toBe('place/unreachable');
    expect((await post('/next')).status).toBe(403);
    expect(await codeOf(evaluate())).toBe('place/unreachable');
  });

  it('ends when nobody answers in time', async () => {
    const impatient = await openRelay({ title: 'Test', steps: [] }, 1);
    expect(await codeOf(createPasskey(impatient.credentials, party, 'Ada'))).toBe('place/unreachable');
    await impatient.close('failed');
  });
});

describe('an answer', () => {
  it('counts once, for its own question, and must not be long', async () => {
    const asked = codeOf(evaluate());
    expect((await post('/answer/2', 'x')).status).toBe(409);
    expect((await post('/answer/1', new Uint8Array(1106))).status).toBe(413);
    expect((await post('/other/1', 'x')).status).toBe(404);
    const refused = post('/refusal/1', 'NotAllowedError');
    expect(await asked).toBe('place/locked');
    expect((await post('/answer/1', 'x')).status).toBe(409);
    // The page waits for what comes next.
    const next = codeOf(createPasskey(relay.credentials, party, 'Ada'));
    expect(JSON.parse((await refused).body)).toMatchObject({ id: 2, kind: 'create', text: 'Second.' });
    void post('/refusal/2', 'NotSupportedError').catch(() => undefined);
    expect(await next).toBe('input/unsupported');
  });

  it('is taken only if it is sealed to this command, and for its question', async () => {
    const asked = evaluate();
    const values = Uint8Array.from({ length: 64 }, (_, i) => i);
    const label = 'keepset/passkey-answer/v1/1';
    const key = await publicKeyOfPage();
    const good = await seal(values, label, key);
    const changed = (at: number): Uint8Array => good.map((byte, i) => (i === at ? byte ^ 1 : byte));
    for (const bad of [
      values,
      new Uint8Array(200),
      changed(0),
      changed(40),
      changed(70),
      changed(good.length - 1),
      good.subarray(0, -1),
      await seal(values, 'keepset/passkey-answer/v1/2', key),
      await seal(values, label, createECDH('prime256v1').generateKeys('base64url')),
    ])
      expect(await post('/answer/1', bad)).toMatchObject({ status: 400, body: '' });
    void post('/answer/1', good).catch(() => undefined);
    const [first, second] = await asked;
    expect([...first, ...second]).toEqual([...values]);
  });

  it.each([
    ['no values', new Uint8Array(0)],
    ['one value', new Uint8Array(32)],
    ['more than two', new Uint8Array(96)],
  ])('with %s is no PRF', async (_what, answer) => {
    const asked = codeOf(evaluate());
    void answerTo(1, answer).catch(() => undefined);
    expect(await asked).toBe('input/unsupported');
  });

  it('of a passkey without PRF makes none', async () => {
    for (const [id, answer] of [Uint8Array.of(0, 9, 9), Uint8Array.of(1), new Uint8Array(0)].entries()) {
      const made = codeOf(createPasskey(relay.credentials, party, 'Ada'));
      void answerTo(id + 1, answer).catch(() => undefined);
      expect(await made).toBe('input/unsupported');
    }
    const made = createPasskey(relay.credentials, party, 'Ada');
    void answerTo(4, Uint8Array.of(1, 9, 8)).catch(() => undefined);
    expect(await made).toEqual(Uint8Array.of(9, 8));
  });
});

describe('the files beside a copy', () => {
  const [kit, otherKit] = ['a4dq2m7xkzt5hw3c6vnybejrfo', 'q7b2fz5mwx3k6hjtcydoranve4'];
  const nameOf = (n: number): PasskeyName => ({ credentialId: Uint8Array.of(n), rpId: 'localhost' });
  const sealed = Uint8Array.of(1, 2, 3);
  const hashOf = (bytes: Uint8Array): Uint8Array =>
    Uint8Array.from(createHash('sha256').update(bytes).digest());
  const newFolder = (): { root: string; folder: string; other: string } => {
    const root = temporaryFolder();
    return { root, folder: join(root, `keepset-${kit}`), other: join(root, `keepset-${otherKit}`) };
  };

  it('are found where those of another copy are damaged', async () => {
    const { root, folder, other } = newFolder();
    await writePasskey(folder, { sealed, name: nameOf(1) });
    await writePasskey(other, { sealed, name: nameOf(2) });
    expect(await codeOf(findPasskey(root))).toBe('input/invalid-argument');
    for (const bad of ['not a name', encodePasskeyName({ ...nameOf(2), rpId: 'evil.example' })]) {
      writeFileSync(join(other, 'passkey.txt'), bad);
      expect(await findPasskey(root)).toMatchObject({ kit, name: nameOf(1) });
      expect(await codeOf(findPasskey(root, otherKit))).toBe('place/damaged');
    }
  });

  it('are looked at both; without the name they still open', async () => {
    const { folder } = newFolder();
    const { readBackAt, ...known } = await writePasskey(folder, { sealed, name: nameOf(1) });
    expect(readBackAt).toMatch(/^20/);
    expect(await lookAtPasskey(folder, known)).toEqual({ status: 'intact' });
    const path = join(folder, 'passkey.txt');
    writeFileSync(path, encodePasskeyName(nameOf(2)));
    expect(await lookAtPasskey(folder, known)).toMatchObject({
      status: 'damaged',
      reason: expect.stringContaining('passkey.txt'),
    });
    // Noted before names were.
    expect(await lookAtPasskey(folder, { sha256: known.sha256 })).toEqual({ status: 'intact' });
    rmSync(path);
    expect(await lookAtPasskey(folder, known)).toEqual({ status: 'intact' });
    writeFileSync(join(folder, 'passkey.age'), 'x');
    expect(await lookAtPasskey(folder, known)).toMatchObject({ status: 'damaged' });
  });

  it('never name an older passkey, even if writing them fails half-way', async () => {
    const { folder } = newFolder();
    mkdirSync(join(folder, 'passkey.age'), { recursive: true });
    writeFileSync(join(folder, 'passkey.txt'), encodePasskeyName(nameOf(1)));
    expect(await codeOf(writePasskey(folder, { sealed, name: nameOf(2) }))).toMatch(/^place\//);
    expect(existsSync(join(folder, 'passkey.txt'))).toBe(false);
  });

  it('are not written, and not removed, where a link leads', async () => {
    const { folder, other } = newFolder();
    await writePasskey(other, { sealed, name: nameOf(1) });
    const filesThere = () => readdirSync(other).map((name) => readFileSync(join(other, name), 'utf8'));
    const before = filesThere();
    expect(before).toHaveLength(2);
    symlinkSync(other, folder);
    expect(await codeOf(writePasskey(folder, { sealed: Uint8Array.of(9), name: nameOf(2) }))).toBe(
      'place/foreign',
    );
    await removePasskey(folder);
    expect(filesThere()).toEqual(before);
  });

  it('are noted as opened after a recovery only if they are those that were opened', async () => {
    const { root, folder } = newFolder();
    const writer = await makeWriter();
    const file = await writer.write(1);
    const about = await foundKit(() => ({ kind: 'folder', kit, path: root }), file, [writer.key]);
    if (about === undefined) throw new Error('the code opens it');
    const opened = await openShareFile(file, [writer.key]);
    await writePasskey(folder, { sealed, name: nameOf(1) });
    const opener = await findPasskey(root);
    // The drive brings another file while the recovery runs.
    const swapped = Uint8Array.of(9);
    writeFileSync(join(folder, 'passkey.age'), swapped);
    const adopt = (passkey: Parameters<typeof adoptedKit>[3]): Promise<unknown> =>
      adoptedKit(homePaths({ home: temporaryFolder() }), about, opened, passkey, 'newest');
    const openedAt: unknown = expect.stringMatching(/^20/);
    const unopened: unknown = expect.not.objectContaining({ openedAt });
    expect(await adopt(opener)).toMatchObject({
      passkey: { sha256: hashOf(sealed), openedAt },
      copies: [unopened],
    });
    const other = await adopt({ ...opener, kit: otherKit });
    expect(other).toMatchObject({ passkey: { sha256: hashOf(swapped) }, copies: [unopened] });
    expect(other).toMatchObject({ passkey: unopened });
    expect(await adopt(undefined)).toMatchObject({ passkey: unopened, copies: [{ openedAt }] });
    opened.share.secret.wipe();
  });
});
