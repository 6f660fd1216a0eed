import { X509Certificate, createHash, createPrivateKey, webcrypto } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { KeepsetError, decodeCbor, encodeCbor } from '@keepset/bytes';
import type { ServerSecrets } from './identity.ts';

/** What the TLS listener needs. */
export interface TlsIdentity {
  readonly cert: string;
  readonly key: string;
  /** SHA-256 of the certificate's public key; only for a self-made one, which devices must pin. */
  readonly pin?: Uint8Array;
}

/** A certificate somebody trusted has issued. @throws KeepsetError `input/invalid-argument` */
export const givenCertificate = (certFile: string, keyFile: string): TlsIdentity => {
  let fits: boolean;
  let identity: TlsIdentity;
  try {
    identity = { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
    fits = new X509Certificate(identity.cert).checkPrivateKey(createPrivateKey(identity.key));
  } catch (cause) {
    throw new KeepsetError('input/invalid-argument', 'The TLS certificate or its key cannot be read.', {
      cause,
    });
  }
  if (!fits)
    throw new KeepsetError('input/invalid-argument', 'The TLS key is not the one of the TLS certificate.');
  return identity;
};

/** A self-made certificate, kept sealed in the database and made on first use. Trust comes from pinning its key. */
export const selfMadeCertificate = async (secrets: ServerSecrets, host: string): Promise<TlsIdentity> => {
  const kept = decodeCbor(await secrets.load('tls', async () => encodeCbor(await createCertificate(host))));
  if (typeof kept !== 'object' || kept === null || !('cert' in kept) || !('key' in kept)) throw damaged();
  const { cert, key } = kept;
  if (typeof cert !== 'string' || typeof key !== 'string') throw damaged();
  const spki = new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' });
  return { cert, key, pin: new Uint8Array(createHash('sha256').update(spki).digest()) };
};

const damaged = (): KeepsetError => new KeepsetError('store/damaged', 'The stored TLS identity is damaged.');

const years = (count: number): number => count * 365 * 24 * 60 * 60 * 1000;

const createCertificate = async (host: string): Promise<{ cert: string; key: string }> => {
  // Loaded here only: it is needed once in a server's life.
  await import('reflect-metadata');
  const { SubjectAlternativeNameExtension, X509CertificateGenerator } = await import('@peculiar/x509');
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const names = [...new Set([host, 'localhost', '127.0.0.1'])].map((name) => ({
    type: isIP(name) === 0 ? ('dns' as const) : ('ip' as const),
    value: name,
  }));
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: '01',
      name: 'CN=Keepset commitment server',
      notBefore: new Date(Date.now() - 24 * 60 * 60 * 1000),
      notAfter: new Date(Date.now() + years(20)),
      keys,
      signingAlgorithm: algorithm,
      extensions: [new SubjectAlternativeNameExtension(names)],
    },
    webcrypto,
  );
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  const lines = pkcs8.match(/.{1,64}/g) ?? [];
  return {
    cert: certificate.toString('pem'),
    key: `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`,
  };
};
