/** A device's whole way with the real command, and what other programs say of its signatures. */
import { schnorr } from '@noble/curves/secp256k1.js';
import { NETWORK, Transaction, p2tr, p2wpkh } from '@scure/btc-signer';
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { decodeCbor, fromBase64, fromHex, toHex } from '@keepset/bytes';
import { bip341Sighash, type PlainTransaction } from '../../packages/intent/test/bip341.ts';
import { failure, succeed, type Json } from '../support/commands.ts';
import { temporaryFolder } from '../support/folders.ts';
import {
  errorOf,
  folderOptions,
  keepset,
  keepsetJson,
  run,
  serve,
  serverFolders,
  type Serving,
} from '../support/processes.ts';

// Many real processes or runs: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const folders = serverFolders();
const work = temporaryFolder();
const phone = ['--home', join(work, 'phone')];
const laptop = ['--home', join(work, 'laptop')];
const passphraseFile = join(work, 'passphrase');
const unlock = ['--passphrase-file', passphraseFile];
const file = join(work, 'report.txt');

let server: Serving;
let ed25519: Record<string, unknown>;
let taproot: Record<string, unknown>;

const idOf = ({ keyId }: Record<string, unknown>): string => keyId as string;
beforeAll(async () => {
  writeFileSync(passphraseFile, 'correct horse battery\n');
  writeFileSync(file, 'the quick brown fox\n');
  server = await serve(folders);
  await succeed(['enroll', server.invitation ?? '', ...phone]);
  ed25519 = await succeed(['keygen', ...phone]);
  taproot = await succeed(['keygen', '--scheme', 'schnorr-secp256k1', ...phone]);
});

/** A new key as `keepset keys` lists it. */
const listed = ({ keyId, scheme, policy, epoch, publicKey, credibleMinimum }: Json, state: string): Json => ({
  keyId,
  scheme,
  policy,
  epoch,
  publicKey,
  credibleMinimum,
  state,
  protected: false,
});

describe('keys', () => {
  it('are made for both schemes, and each side knows them', async () => {
    expect(ed25519).toMatchObject({ scheme: 'ed25519', policy: 'and(server,phone)', epoch: 0 });
    expect(ed25519['publicKey']).toMatch(/^[0-9a-f]{64}$/);
    expect(taproot['publicKey']).toMatch(/^0[23][0-9a-f]{64}$/);
    const { keys } = await succeed(['keys', ...phone]);
    expect(keys).toHaveLength(2);
    for (const key of [ed25519, taproot]) expect(keys).toContainEqual(listed(key, 'usable'));
  });

  it('are shown with their parties and in the forms other programs take', async () => {
    const shown = await succeed(['show', idOf(ed25519), ...phone]);
    expect(shown).toMatchObject({ ...ed25519, parties: ['server', 'phone'], threshold: 2, party: 'phone' });
    expect(shown['forms']).toMatchObject({
      ssh: expect.stringMatching(/^ssh-ed25519 AAAA/),
      pem: expect.stringMatching(/^-----BEGIN PUBLIC KEY-----/),
    });
    const other = await succeed(['show', idOf(taproot), ...phone]);
    expect(other['forms']).toMatchObject({ taproot: expect.stringMatching(/^bc1p/) });
  });
});

describe('a share file', () => {
  it('opens with the stock age program and the device’s identity file, and with no other', async () => {
    const copies = readdirSync(join(work, 'phone', 'shares')).filter((name) => name.endsWith('.age'));
    expect(copies).toHaveLength(2);
    for (const copy of copies) {
      const path = join(work, 'phone', 'shares', copy);
      const plain = join(work, 'plain');
      const opened = await run('age', ['-d', '-i', join(work, 'phone', 'identity.txt'), '-o', plain, path]);
      expect(opened).toMatchObject({ code: 0 });
      const key = [ed25519, taproot].find((each) => copy.startsWith(idOf(each)))!;
      const content = decodeCbor(new Uint8Array(readFileSync(plain))) as Record<string, unknown>;
      rmSync(plain);
      expect(content).toMatchObject({
        type: 'share',
        v: 1,
        keyId: idOf(key),
        scheme: key['scheme'],
        party: 'phone',
      });
      expect(toHex(content['publicKey'] as Uint8Array)).toBe(key['publicKey']);
    }
    const stranger = join(work, 'stranger.txt');
    expect(await run('age-keygen', ['-o', stranger])).toMatchObject({ code: 0 });
    const refused = await run('age', ['-d', '-i', stranger, join(work, 'phone', 'shares', copies[0]!)]);
    expect(refused.code).not.toBe(0);
  });
});

describe('signatures', () => {
  it('SSH: ssh-keygen -Y verify accepts it, and refuses it for another file', async () => {
    const signature = join(work, 'ssh.sig');
    await succeed(['sign', file, '--key', idOf(ed25519), '--out', signature, ...phone]);
    const shown = await succeed(['show', idOf(ed25519), ...phone]);
    const allowed = join(work, 'allowed_signers');
    writeFileSync(allowed, `me@example.org ${(shown['forms'] as { ssh: string }).ssh}\n`);
    const verify = (input: string) =>
      run(
        'ssh-keygen',
        ['-Y', 'verify', '-f', allowed, '-I', 'me@example.org', '-n', 'file', '-s', signature],
        {
          input,
        },
      );
    expect(await verify(readFileSync(file, 'utf8'))).toMatchObject({ code: 0 });
    expect((await verify('another file')).code).not.toBe(0);
  });

  it('raw: openssl pkeyutl -verify accepts it, and refuses it for another file', async () => {
    const signature = join(work, 'raw.sig');
    await succeed(['sign', file, '--as', 'raw', '--key', idOf(ed25519), '--out', signature, ...phone]);
    expect(readFileSync(signature)).toHaveLength(64);
    const shown = await succeed(['show', idOf(ed25519), ...phone]);
    const pem = join(work, 'key.pem');
    writeFileSync(pem, (shown['forms'] as { pem: string }).pem);
    const other = join(work, 'other.txt');
    writeFileSync(other, 'another file');
    const verify = (input: string) =>
      run('openssl', [
        'pkeyutl',
        '-verify',
        '-rawin',
        '-pubin',
        '-inkey',
        pem,
        '-sigfile',
        signature,
        '-in',
        input,
      ]);
    expect(await verify(file)).toMatchObject({ code: 0 });
    expect((await verify(other)).code).not.toBe(0);
  });

  it('PSBT: signed and finalised by key path; @scure/btc-signer and an independent sighash agree', async () => {
    const xOnly = fromHex(taproot['publicKey'] as string).subarray(1);
    const own = p2tr(xOnly);
    const shown = await succeed(['show', idOf(taproot), ...phone]);
    expect((shown['forms'] as { taproot: string }).taproot).toBe(p2tr(xOnly, undefined, NETWORK).address);
    const stranger = p2wpkh(fromHex('0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798'));
    const plain: PlainTransaction = {
      version: 2,
      lockTime: 0,
      inputs: [
        { txid: 'aa'.repeat(32), index: 0, sequence: 0xfffffffd, amount: 60_000n, script: own.script },
        { txid: 'bb'.repeat(32), index: 7, sequence: 0xfffffffd, amount: 50_000n, script: own.script },
      ],
      outputs: [
        { script: stranger.script, amount: 70_000n },
        { script: own.script, amount: 39_000n },
      ],
    };
    const unsigned = new Transaction({ version: plain.version, lockTime: plain.lockTime });
    for (const { txid, index, sequence, amount, script } of plain.inputs)
      unsigned.addInput({ txid, index, sequence, witnessUtxo: { amount, script }, tapInternalKey: xOnly });
    for (const output of plain.outputs) unsigned.addOutput(output);
    const psbt = join(work, 'payment.psbt');
    writeFileSync(psbt, unsigned.toPSBT());

    const out = join(work, 'payment.tx');
    const result = await succeed(['sign', psbt, '--key', idOf(taproot), '--out', out, ...phone]);
    expect(result).toMatchObject({ kind: 'psbt', keyId: idOf(taproot) });

    const final = Transaction.fromRaw(readFileSync(out), { allowUnknownInputs: true });
    expect(final.isFinal).toBe(true);
    expect(toHex(final.unsignedTx)).toBe(toHex(unsigned.unsignedTx));
    const outputKey = own.script.subarray(2);
    plain.inputs.forEach((_, at) => {
      const witness = final.getInput(at).finalScriptWitness;
      expect(witness).toHaveLength(1);
      expect(schnorr.verify(witness![0]!, bip341Sighash(plain, at, 0), outputKey)).toBe(true);
    });
    // The library recomputes each hash by itself too, and is no stranger to a wrong one.
    const scripts = plain.inputs.map(({ script }) => script);
    const amounts = plain.inputs.map(({ amount }) => amount);
    expect(toHex(unsigned.preimageWitnessV1(1, scripts, 0, amounts))).toBe(toHex(bip341Sighash(plain, 1, 0)));
  });

  it('go to standard output where asked, as text, or inside the one JSON object', async () => {
    const args = ['sign', '-', '--as', 'ssh', '--key', idOf(ed25519), '--out', '-', ...phone];
    const text = await keepset(args, { input: 'hello' });
    expect(text.stdout).toMatch(/^-----BEGIN SSH SIGNATURE-----\n[^]*-----END SSH SIGNATURE-----\n$/);
    const { json } = await keepsetJson(args, { input: 'hello' });
    expect(json['text']).toMatch(/^-----BEGIN SSH SIGNATURE-----/);
    expect(fromBase64(json['signature'] as string).length).toBeGreaterThan(64);
  });

  it('are verified by keepset itself, by key and by public key', async () => {
    const signature = join(work, 'own.sig');
    await succeed(['sign', file, '--key', idOf(ed25519), '--out', signature, ...phone]);
    const check = ['verify', file, '--signature', signature];
    expect(await succeed([...check, '--key', idOf(ed25519), ...phone])).toMatchObject({
      valid: true,
      kind: 'ssh',
      namespace: 'file',
    });
    expect(
      await succeed([...check, '--public-key', ed25519['publicKey'] as string, '--scheme', 'ed25519']),
    ).toMatchObject({ valid: true });
    const other = join(work, 'altered.txt');
    writeFileSync(other, `${readFileSync(file, 'utf8')} `);
    // Nothing was aborted here: what goes for a session that failed would be wrong.
    expect(
      await failure(['verify', other, '--signature', signature, '--key', idOf(ed25519), ...phone]),
    ).toMatchObject({
      code: 'abort/bad-signature',
      hint: expect.stringContaining('Do not use this file'),
    });
  });

  it('never replace a file unless told, and are then not even made', async () => {
    const taken = join(work, 'taken.sig');
    writeFileSync(taken, 'precious');
    const before = await checkpointSize();
    const args = ['sign', file, '--key', idOf(ed25519), '--out', taken, ...phone];
    const refused = await keepsetJson(args);
    expect(refused.code).toBe(6);
    expect(errorOf(refused)).toMatchObject({
      code: 'place/exists',
      hint: expect.stringContaining('--force'),
    });
    expect(readFileSync(taken, 'utf8')).toBe('precious');
    expect(await checkpointSize()).toBe(before);
    await succeed([...args, '--force']);
    expect(readFileSync(taken, 'utf8')).toMatch(/^-----BEGIN SSH SIGNATURE/);
  });
});

/** Entries in the server's log, from its checkpoint's second line. */
const checkpointSize = async (): Promise<number> => {
  const { stdout } = await run(process.execPath, [
    '-e',
    `require('node:https').get(process.argv[1], { rejectUnauthorized: false }, (a) => a.pipe(process.stdout))`,
    `${server.url}/v1/log/checkpoint`,
  ]);
  return Number(stdout.split('\n')[1]);
};

describe('another user', () => {
  it('enrols with an invitation of its own, under a passphrase, and sees nothing of the first', async () => {
    const invite = await succeed(['invite', ...folderOptions(folders), '--public-url', server.url]);
    const invitation = invite['invitation'] as string;
    const enroll = ['enroll', invitation, '--party', 'laptop', '--passphrase'];
    const enrolled = await keepsetJson([...enroll, ...unlock, ...laptop]);
    expect(enrolled).toMatchObject({ code: 0, json: { party: 'laptop' } });
    expect(readFileSync(join(work, 'laptop', 'identity.txt'), 'utf8')).toMatch(
      /^-----BEGIN AGE ENCRYPTED FILE/,
    );

    expect(await succeed(['keys', ...unlock, ...laptop])).toEqual({ keys: [], damagedEntries: [] });
    const use = await keepsetJson(['sign', file, '--key', idOf(ed25519), ...unlock, ...laptop]);
    expect(use.code).toBe(2);
    expect(errorOf(use).code).toBe('input/unknown-key');
  });

  it('cannot spend an invitation twice', async () => {
    const again = await keepsetJson(['enroll', server.invitation ?? '', '--home', join(work, 'thief')]);
    expect(again.code).toBe(5);
    expect(errorOf(again)).toMatchObject({
      code: 'transport/enrolment-refused',
      hint: expect.stringContaining('invite'),
    });
  });

  it('is refused with a wrong passphrase and told how to give one', async () => {
    const wrong = join(work, 'wrong');
    writeFileSync(wrong, 'incorrect horse\n');
    const refused = await keepsetJson(['keys', '--passphrase-file', wrong, ...laptop]);
    expect(refused.code).toBe(2);
    expect(errorOf(refused).code).toBe('input/wrong-passphrase');
    const nobody = await keepsetJson(['keys', ...laptop]);
    expect(nobody.code).toBe(2);
    expect(errorOf(nobody)).toMatchObject({ hint: expect.stringContaining('KEEPSET_PASSPHRASE') });
  });

  it('can use its own key under its passphrase', async () => {
    const secret = { env: { KEEPSET_PASSPHRASE: 'correct horse battery' } };
    const made = await keepsetJson(['keygen', '--policy', 'thresh(2, laptop, server)', ...laptop], secret);
    expect(made).toMatchObject({ code: 0, json: { policy: 'thresh(2,laptop,server)' } });
    const signed = await keepsetJson(['sign', file, '--out', join(work, 'l.sig'), ...laptop], secret);
    expect(signed.code).toBe(0);
  });
});

describe('a restart', () => {
  it('ends gracefully on SIGTERM; the same keys sign afterwards', async () => {
    const ended = await server.stop();
    expect(ended).toMatchObject({ code: 0, signal: null });
    expect(ended.stderr).toContain('Stopping');
    const alone = await keepsetJson([
      'sign',
      file,
      '--key',
      idOf(ed25519),
      '--out',
      join(work, 'n.sig'),
      ...phone,
    ]);
    expect(alone.code).toBe(5);
    expect(errorOf(alone)).toMatchObject({
      code: 'transport/unreachable',
      retry: 'same',
      hint: expect.stringContaining('keepset serve'),
    });
    const unchecked = await succeed(['keys', ...phone]);
    expect(unchecked['keys']).toContainEqual(listed(ed25519, 'unchecked'));

    server = await serve(folders, ['--port', server.port]);
    expect(server.invitation).toBeNull();
    for (const key of [ed25519, taproot])
      await succeed([
        'sign',
        file,
        '--as',
        'raw',
        '--key',
        idOf(key),
        '--out',
        join(work, `${idOf(key)}.sig`),
        ...phone,
      ]);
    const check = ['verify', file, '--signature', join(work, `${idOf(taproot)}.sig`)];
    expect(await succeed([...check, '--key', idOf(taproot), ...phone])).toMatchObject({
      valid: true,
      kind: 'raw',
    });
  });
});
