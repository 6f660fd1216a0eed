export {
  maxAgeBytes,
  openAge,
  sealAge,
  type Identity,
  type OpeningKey,
  type PassphraseKey,
  type PassphraseRecipient,
  type Recipients,
} from './age.ts';
export { defaultWorkFactor, maxWorkFactor, scryptInline, type ScryptWork } from './scrypt.ts';
export { verifySigner, type FileSigner } from './signer.ts';
export {
  encodeShareFile,
  maxShareFileBytes,
  openShareFile,
  type OpenedShare,
  type OpenOptions,
  type ShareFileMeta,
} from './share-file.ts';
