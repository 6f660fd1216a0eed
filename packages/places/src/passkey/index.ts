export { passkeyIdentity, passkeyRecipient, type Passkey } from './fido2prf.ts';
export { decodePasskeyName, encodePasskeyName, type PasskeyName } from './identity.ts';
export { openIdentityWithPasskey, sealIdentityToPasskey } from './keeper.ts';
export { browserPasskey, createPasskey, type CredentialsContainer, type RelyingParty } from './webauthn.ts';
