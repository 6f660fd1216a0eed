export {
  generateIdentity,
  identityOf,
  recipientOf,
  openingKeyOf,
  signerOf,
  wipeIdentity,
  type DeviceIdentity,
} from './identity.ts';
export { decodeIdentityFile, encodeIdentityFile, encryptIdentityFile, isEncryptedIdentity } from './file.ts';
export { fromPkcs8, toPkcs8 } from './pkcs8.ts';
