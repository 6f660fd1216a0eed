/** The last resort: a key put together from copies, on a computer that knows no server, judged by programs that are not ours. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ed25519 } from '@noble/curves/ed25519.js';
import { HDKey } from '@scure/bip32';
import { WIF } from '@scure/btc-signer';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { failure, joining, succeed, together, type Device } from '../support/commands.ts';
import { codeFile, createStick, imageOf, type Copy } from '../support/copies.ts';
import { reading } from '../support/media.ts';
import { keepset, onTerminal, run } from '../support/processes.ts';
import { expectValid, fileToSign, openssl } from '../support/signing.ts';
import { emptyHome, makeKey, newWorld, phoneAndLaptop, publicKeyOf, type World } from '../support/world.ts';

// Many real processes: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

let world: World;
let phone: Device;
let laptop: Device;
beforeAll(async () => {
  world = await newWorld();
  ({ phone, laptop } = await phoneAndLaptop(world));
});

interface Kept {
  readonly keyId: string;
  readonly publicKey: string;
  /** The sticks of phone and laptop. */
  readonly sticks: readonly string[];
  readonly codes: string;
}

/** A key of which phone and laptop each have a copy on a stick, and the codes in one file. */
const keep = async (scheme: string, policy = 'thresh(2,server,phone,laptop)'): Promise<Kept> => {
  const keyId = await makeKey(phone, ['--scheme', scheme, '--policy', policy], { laptop });
  const copies: Copy[] = [];
  for (const device of [phone, laptop])
    copies.push(await createStick(world.folder('stick'), device, '--key', keyId));
  return {
    keyId,
    publicKey: await publicKeyOf(phone, keyId),
    sticks: copies.map(({ root }) => root),
    codes: codeFile(...copies.map(({ code }) => code)),
  };
};

/** Exports on a computer without any home; the media are only read. */
const exporting = async ({ keyId, sticks, codes }: Kept, ...more: readonly string[]): Promise<string> => {
  const out = join(world.folder('offline'), 'key');
  const nobody = emptyHome(world);
  const args = ['export', '--last-resort', ...sticks, '--identity', codes, '--out', out, '--confirm', keyId];
  const [first = ''] = sticks;
  const result = await reading(first, () => succeed([...args, ...more, ...nobody.args]));
  expect(result).toMatchObject({ keyId, parties: ['phone', 'laptop'], epoch: 0, out });
  expect(statSync(out).mode & 0o777).toBe(0o600);
  expect(readFileSync(`${out}.record.txt`, 'utf8')).toContain(keyId);
  expect(existsSync(nobody.home)).toBe(false);
  return out;
};

/** OpenSSL computes the public point from the private key: it is the one that the device shows. */
const expectPoint = async (privateKey: string, keyId: string): Promise<void> => {
  const { publicKey } = await succeed(['show', keyId, ...phone.args]);
  const { stdout } = await run('openssl', ['pkey', '-in', privateKey, '-pubout', '-text', '-noout']);
  expect(stdout.replaceAll(/[^0-9a-f]/g, '')).toContain((publicKey as string).slice(2));
};

describe('keepset export --last-resort', () => {
  it.each(['ecdsa-p256', 'ecdsa-secp256k1'])(
    '%s: OpenSSL signs with it, for the same public key',
    async (scheme) => {
      const key = await keep(scheme);
      const out = await exporting(key);
      const shown = await run('openssl', ['pkey', '-in', out, '-pubout']);
      // OpenSSL writes points uncompressed, as we do: the very same lines.
      expect(shown.stdout.trim()).toBe(key.publicKey.trim());
      expect((await run('openssl', ['pkey', '-in', out, '-check', '-noout'])).stdout).toContain(
        'Key is valid',
      );
      const file = fileToSign(world);
      const sign = ['-sign', '-inkey', out, '-in', file, '-out', `${file}.sig`];
      expect(await openssl(sign, key.publicKey)).toMatchObject({ code: 0 });
      await expectValid(file, key.publicKey);
    },
  );

  it('a nested policy, and the key of a vault: the same, by the sharing of the policy', async () => {
    for (const [scheme, policy] of [
      ['ecdsa-p256', 'and(phone,or(laptop,server))'],
      ['ecdh-p256', 'thresh(2,server,phone,laptop)'],
    ] as const) {
      const key = await keep(scheme, policy);
      await expectPoint(await exporting(key), key.keyId);
    }
  });

  it('schnorr-secp256k1: wallets take it as WIF, and as xprv with all keys below it', async () => {
    const key = await keep('schnorr-secp256k1');
    const wif = readFileSync(await exporting(key, '--as', 'wif'), 'utf8').trim();
    const root = HDKey.fromExtendedKey(readFileSync(await exporting(key, '--as', 'xprv'), 'utf8').trim());
    expect(Buffer.from(WIF().decode(wif))).toEqual(Buffer.from(root.privateKey ?? []));
    await expectPoint(await exporting(key), key.keyId);
    const child = await succeed(['derive', 'm/0/5', '--key', key.keyId, ...phone.args]);
    expect(child['publicKey']).toBe(Buffer.from(root.derive('m/0/5').publicKey ?? []).toString('hex'));
  });

  it('ed25519: has no seed and so no PKCS #8; its expanded form signs, and ssh-keygen accepts it', async () => {
    const key = await keep('ed25519');
    const pkcs8 = ['export', '--last-resort', ...key.sticks, '--identity', key.codes, '--as', 'pem'];
    const out = join(world.folder('offline'), 'key');
    const refused = await failure([...pkcs8, '--out', out, '--confirm', key.keyId]);
    expect(refused).toMatchObject({ code: 'input/unsupported' });
    expect(refused.hint).toContain('seed');
    expect(existsSync(out)).toBe(false);
    const text = readFileSync(await exporting(key), 'utf8');
    const expanded = Buffer.from(text.split('\n').at(-2) ?? '', 'hex');
    expect(expanded).toHaveLength(64);
    const { forms } = await succeed(['show', key.keyId, ...phone.args]);
    const file = fileToSign(world);
    const allowed = `${file}.allowed`;
    writeFileSync(allowed, `me ${(forms as { ssh: string }).ssh}\n`);
    writeFileSync(`${file}.sig`, sshSignature(expanded, (forms as { ssh: string }).ssh, readFileSync(file)));
    const check = ['-Y', 'verify', '-f', allowed, '-I', 'me', '-n', 'file', '-s', `${file}.sig`];
    const verified = await run('ssh-keygen', check, { input: readFileSync(file) });
    expect(verified.stdout + verified.stderr).toContain('Good "file" signature');
  });

  it('warns, and asks for the whole key id: nothing is put together without it', async () => {
    const key = await keep('ed25519');
    const out = join(world.folder('offline'), 'key');
    const args = ['export', '--last-resort', ...key.sticks, '--identity', key.codes, '--out', out];
    expect((await failure(args)).code).toBe('input/invalid-argument');
    expect((await failure([...args, '--confirm', key.keyId.slice(0, 6)])).hint).toContain(key.keyId);
    expect((await failure(args.filter((arg) => arg !== '--last-resort'))).hint).toContain('keepset recover');
    expect(existsSync(out)).toBe(false);
    const question = `Type the whole key id to put ${key.keyId} together: `;
    const done = await onTerminal([...args, ...phone.args], [[question, `${key.keyId}\n`]]);
    expect(done).toMatchObject({ code: 0 });
    expect(done.stdout).toContain('LAST RESORT');
    expect(done.stdout).toContain('Make a new key');
    // This computer is the phone: its server has logged the export before it took place.
    expect(readFileSync(`${out}.record.txt`, 'utf8')).toContain('The server has logged it.');
    const own = ['export', '--last-resort', ...key.sticks, '--identity', key.codes, '--confirm', key.keyId];
    const offline = await succeed([...own, '--offline', '--out', `${out}2`, ...phone.args]);
    expect(offline).toMatchObject({ logged: false });
    const [secret = ''] = readFileSync(out, 'utf8').split('\n').slice(-2);
    expect(done.stdout).not.toContain(secret.slice(0, 32));
    const again = await failure([...args, '--confirm', key.keyId]);
    expect(again.code).toBe('place/exists');
  });

  it('says what is missing, and mixes neither epochs nor keys', async () => {
    const key = await keep('ed25519');
    const other = await keep('ed25519');
    const out = join(world.folder('offline'), 'key');
    const args = (sticks: readonly string[], codes: string): string[] => [
      'export',
      '--last-resort',
      ...sticks,
      '--identity',
      codes,
      '--out',
      out,
      '--confirm',
      key.keyId,
    ];
    const alone = await failure(args(key.sticks.slice(0, 1), key.codes));
    expect(alone.code).toBe('policy/unsatisfied');
    expect(alone.hint).toContain('server; or laptop');
    const both = join(world.folder('paper'), 'codes.txt');
    writeFileSync(both, readFileSync(key.codes, 'utf8') + readFileSync(other.codes, 'utf8'));
    const mixed = await failure(args([key.sticks[0]!, other.sticks[1]!], both));
    expect(mixed).toMatchObject({ code: 'input/invalid-argument' });
    const old = imageOf(key.sticks[1]!);
    // A refresh rewrites both sticks: only a copy of one is still of the old epoch.
    await together(['refresh', '--key', key.keyId, ...phone.args], { laptop: joining(laptop) });
    const stale = await failure(args([key.sticks[0]!, old], key.codes));
    expect(stale.code).toBe('place/stale');
    expect(stale.message).toContain('laptop is of epoch 0');
    expect(readdirSync(join(out, '..'))).toEqual([]);
    // Which no longer hides that two copies of one party are one share.
    const twice = await keepset([...args([key.sticks[0]!, key.sticks[0]!], key.codes), '--json']);
    expect(twice.stdout).toContain('policy/unsatisfied');
  });
});

/**
 * RFC 8032 §5.1.6 from step 2 on, over an expanded private key, in the form of OpenSSH's SSHSIG.
 * Written for this test, with nothing of ours.
 */
const sshSignature = (expanded: Buffer, publicLine: string, file: Buffer): string => {
  const blob = Buffer.from(publicLine.split(' ')[1] ?? '', 'base64');
  const string = (bytes: Uint8Array | string): Buffer => {
    const body = Buffer.from(bytes as Uint8Array);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(body.length);
    return Buffer.concat([length, body]);
  };
  const sha512 = (...parts: Uint8Array[]): Buffer =>
    createHash('sha512').update(Buffer.concat(parts)).digest();
  const header = Buffer.concat([Buffer.from('SSHSIG'), string('file'), string(''), string('sha512')]);
  const message = Buffer.concat([header, string(sha512(file))]);
  const little = (bytes: Uint8Array): bigint =>
    BigInt(`0x${Buffer.from(bytes.toReversed()).toString('hex')}`);
  const { n } = ed25519.Point.CURVE();
  const scalar = little(expanded.subarray(0, 32)) % n;
  const r = little(sha512(expanded.subarray(32), message)) % n;
  const commitment = ed25519.Point.BASE.multiply(r).toBytes();
  const challenge = little(sha512(commitment, blob.subarray(-32), message)) % n;
  const s = Buffer.from(((r + challenge * scalar) % n).toString(16).padStart(64, '0'), 'hex').reverse();
  const signature = Buffer.concat([string('ssh-ed25519'), string(Buffer.concat([commitment, s]))]);
  const version = Buffer.from([0, 0, 0, 1]);
  const whole = Buffer.concat([
    Buffer.from('SSHSIG'),
    version,
    string(blob),
    string('file'),
    string(''),
    string('sha512'),
    string(signature),
  ]);
  const lines = whole.toString('base64').match(/.{1,70}/g) ?? [];
  return ['-----BEGIN SSH SIGNATURE-----', ...lines, '-----END SSH SIGNATURE-----', ''].join('\n');
};
