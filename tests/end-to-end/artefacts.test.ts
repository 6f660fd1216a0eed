/** Real transactions, tokens and files, signed by a device and a server together, judged by programs that are not ours. */
import { hex } from '@scure/base';
import { Address, NETWORK, OutScript, Transaction, p2wpkh } from '@scure/btc-signer';
import { importSPKI, jwtVerify } from 'jose';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { recoverTransactionAddress } from 'viem';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fromUtf8, toHex, utf8ToBytes } from '@keepset/bytes';
import { runKeygen, signWith, type GroupKey, type Scheme } from '@keepset/ceremony';
import {
  address,
  createIntent,
  ethereumAddress,
  signingKey,
  spkiPem,
  type Artefact,
  type IntentKey,
  type IntentKind,
} from '@keepset/intent';
import { startServer, type RunningServer } from '@keepset/server';
import { newDevice, type TestDevice } from '../support/device.ts';
import { temporaryFolder } from '../support/folders.ts';
import { serverOptions } from '../support/server.ts';

let server: RunningServer;
let phone: TestDevice;

beforeAll(async () => {
  server = await startServer(serverOptions());
  phone = await newDevice(server.invite());
});

afterAll(async () => {
  phone.close();
  await server.close();
});

const newKey = async (scheme: Scheme): Promise<GroupKey & IntentKey> =>
  signingKey(await runKeygen(phone.device, { scheme, policy: 'and(server,phone)' }));

/** What `keepset sign` does: describe, sign every input together, finish. */
const signAs = async (kind: IntentKind, bytes: Uint8Array, key: GroupKey & IntentKey): Promise<Artefact> => {
  const intent = createIntent(kind, bytes, key);
  const share = await phone.device.vault.open(key.keyId);
  const signatures: Uint8Array[] = [];
  for (const input of intent.inputs) signatures.push((await signWith(phone.device, share, input)).signature);
  return intent.finish(signatures);
};

test('an EIP-1559 transaction: viem recovers our address', async () => {
  const key = await newKey('ecdsa-secp256k1');
  const transaction = {
    type: 2,
    chainId: 1,
    nonce: 3,
    to: '0x70997970C51812dc3A010C7d01b50e0d17dc79C8',
    value: '1000000000000000',
    gas: '21000',
    maxFeePerGas: '30000000000',
    maxPriorityFeePerGas: '1000000000',
    data: '0x',
  };
  const { bytes } = await signAs('ethereum', utf8ToBytes(JSON.stringify(transaction)), key);
  const serializedTransaction = `0x02${toHex(bytes).slice(2)}` as const;
  expect(await recoverTransactionAddress({ serializedTransaction })).toBe(ethereumAddress(key));
});

test('a P2WPKH PSBT: btc-signer takes the finished transaction, which pays from our address', async () => {
  const key = await newKey('ecdsa-secp256k1');
  const { script } = p2wpkh(key.publicKey);
  expect(Address(NETWORK).encode(OutScript.decode(script))).toBe(address(key));
  const funding = new Transaction();
  funding.addInput({ txid: 'aa'.repeat(32), index: 0 });
  funding.addOutput({ script, amount: 100_000n });
  const spending = new Transaction();
  spending.addInput({ txid: funding.id, index: 0, witnessUtxo: { script, amount: 100_000n } });
  spending.addOutputAddress('bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4', 90_000n);
  const { bytes } = await signAs('psbt', spending.toPSBT(), key);
  const finished = Transaction.fromRaw(bytes, { allowUnknownInputs: true });
  expect(finished.id).toBe(Transaction.fromPSBT(spending.toPSBT()).id);
  const [signature, publicKey] = finished.getInput(0).finalScriptWitness ?? [];
  expect(hex.encode(publicKey ?? new Uint8Array(0))).toBe(toHex(key.publicKey));
  // The sighash once more, by btc-signer, and the signature under it, by OpenSSL's own verifier.
  const sighash = spending.preimageWitnessV0(
    0,
    OutScript.encode({ type: 'pkh', hash: script.subarray(2) }),
    1,
    100_000n,
  );
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'key.pem'), spkiPem(key));
  writeFileSync(join(folder, 'digest'), sighash);
  writeFileSync(join(folder, 'signature'), (signature ?? new Uint8Array(0)).subarray(0, -1));
  const verdict = execFileSync(
    'openssl',
    ['pkeyutl', '-verify', '-pubin', '-inkey', 'key.pem', '-in', 'digest', '-sigfile', 'signature'],
    { cwd: folder, encoding: 'utf8' },
  );
  expect(verdict).toContain('Signature Verified Successfully');
});

test('a token: jose accepts it under ES256', async () => {
  const key = await newKey('ecdsa-p256');
  const claims = { iss: 'keepset', aud: 'test', sub: 'alice' };
  const { bytes } = await signAs('jwt', utf8ToBytes(JSON.stringify(claims)), key);
  const { payload } = await jwtVerify(fromUtf8(bytes).trim(), await importSPKI(spkiPem(key), 'ES256'));
  expect(payload).toEqual(claims);
});

test.each<Scheme>(['ecdsa-secp256k1', 'ecdsa-p256'])(
  'a file: openssl dgst -verify accepts %s',
  async (scheme) => {
    const key = await newKey(scheme);
    const file = utf8ToBytes('a report');
    const { bytes } = await signAs('raw', file, key);
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'key.pem'), spkiPem(key));
    writeFileSync(join(folder, 'file'), file);
    writeFileSync(join(folder, 'signature'), bytes);
    const args = ['dgst', '-sha256', '-verify', 'key.pem', '-signature', 'signature', 'file'];
    expect(execFileSync('openssl', args, { cwd: folder, encoding: 'utf8' })).toContain('Verified OK');
  },
);
