import { createPrivateKey, createPublicKey, randomBytes, sign, verify, type KeyObject } from 'node:crypto';
import { KeepsetError, Secret, encodeCbor, toBase64Url } from '@keepset/bytes';
import { noteKey, type NoteSigner } from '@keepset/log';
import {
  authKeyId,
  authPublicKey,
  generateAuthKey,
  type MessageSigner,
  type MessageVerifier,
} from '@keepset/transport';
import { p256 } from '@noble/curves/nist.js';
import { ed25519 } from '@noble/curves/ed25519.js';
import { bytesColumn, type Database } from '../store/database.ts';
import { openEnvelope, sealEnvelope, type KekProvider } from './kek.ts';

/** Named secrets of the server itself, sealed in its database. */
export interface ServerSecrets {
  /** Returns the secret of that name; on first use makes it with `create` and keeps it. */
  load(name: string, create: () => Promise<Uint8Array> | Uint8Array): Promise<Uint8Array>;
}

export const serverSecrets = (database: Database, kek: KekProvider): ServerSecrets => {
  const read = database.prepare('SELECT sealed FROM server_secrets WHERE name = ?');
  const write = database.prepare(
    'INSERT INTO server_secrets (name, sealed) VALUES (?, ?) ON CONFLICT DO NOTHING',
  );
  const context = (name: string): Uint8Array => encodeCbor({ what: 'server-secret', name });
  const stored = async (name: string): Promise<Uint8Array | undefined> => {
    const row = read.get(name);
    return row === undefined ? undefined : openEnvelope(kek, bytesColumn(row, 'sealed'), context(name));
  };
  return {
    load: async (name, create) => {
      const known = await stored(name);
      if (known !== undefined) return known;
      write.run(name, await sealEnvelope(kek, await create(), context(name)));
      // Read back: another process may have been first.
      const kept = await stored(name);
      if (kept === undefined) throw new KeepsetError('bug/invariant', `The secret ${name} was not kept.`);
      return kept;
    },
  };
};

/** True while nothing in the database is sealed under a key-encryption key yet. */
export const isUnsealed = (database: Database): boolean =>
  database.prepare('SELECT 1 FROM server_secrets LIMIT 1').get() === undefined;

/** The key that signs this server's answers; devices pin it at enrolment. */
export interface ServerIdentity {
  readonly signer: MessageSigner;
  /** Compressed P-256 point, 33 bytes. */
  readonly publicKey: Uint8Array;
}

/** Signing goes through the platform's own implementation, which is faster and runs in constant time. */
export const loadIdentity = async (secrets: ServerSecrets): Promise<ServerIdentity> => {
  const secret = new Secret(await secrets.load('identity', () => generateAuthKey().reveal()));
  const publicKey = authPublicKey(secret);
  const key = createPrivateKey({
    key: { ...jwkOf(publicKey), d: toBase64Url(secret.reveal()) },
    format: 'jwk',
  });
  const signer: MessageSigner = {
    keyId: authKeyId(publicKey),
    sign: (data) => Promise.resolve(new Uint8Array(sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' }))),
  };
  return { signer, publicKey };
};

const jwkOf = (publicKey: Uint8Array): { kty: 'EC'; crv: 'P-256'; x: string; y: string } => {
  const point = p256.Point.fromBytes(publicKey).toBytes(false);
  return {
    kty: 'EC',
    crv: 'P-256',
    x: toBase64Url(point.subarray(1, 33)),
    y: toBase64Url(point.subarray(33)),
  };
};

/** Checks device signatures with the platform's own ECDSA. */
export const platformVerifier = (publicKey: Uint8Array): MessageVerifier => {
  const key = createPublicKey({ key: jwkOf(publicKey), format: 'jwk' });
  return (data, signature) =>
    Promise.resolve(
      signature.length === 64 && verify('sha256', data, { key, dsaEncoding: 'ieee-p1363' }, signature),
    );
};

/** The key that signs the log's checkpoints. @param name the log's origin */
export const loadLogSigner = async (secrets: ServerSecrets, name: string): Promise<NoteSigner> => {
  const seed = await secrets.load('log', () => new Uint8Array(randomBytes(32)));
  const publicKey = ed25519.getPublicKey(seed);
  const key: KeyObject = createPrivateKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: toBase64Url(publicKey), d: toBase64Url(seed) },
    format: 'jwk',
  });
  return { key: noteKey(name, publicKey), sign: (message) => new Uint8Array(sign(null, message, key)) };
};
