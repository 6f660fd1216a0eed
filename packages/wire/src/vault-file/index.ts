export { tagIdentity, tagRecipient, type Agree } from './p256tag.ts';
export { maxVaultHeaderBytes, readVaultHeader } from './header.ts';
