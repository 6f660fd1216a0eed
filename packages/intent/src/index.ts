export { createIntent, detectIntent, formats, kindsFor } from './registry.ts';
export type {
  Artefact,
  BitcoinNetwork,
  DescriptionLine,
  Format,
  Intent,
  IntentKey,
  IntentKind,
  IntentOptions,
  KeyScheme,
  SignDigest,
  SignInput,
} from './intent.ts';
export { signingKey } from './key.ts';
export { allowedSigners, sshPublicKey } from './ssh.ts';
export { spkiPem } from './raw.ts';
export { address } from './bitcoin.ts';
export { ethereumAddress } from './ethereum-address.ts';
export { verifySignature } from './signature.ts';
export { verifyDetached, type SignatureVerdict } from './verify.ts';
