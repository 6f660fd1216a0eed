/** The words of this package: what goes in, what is shown, what is signed, what comes out. */

/** Name of a signature scheme. `schnorr-secp256k1` is BIP 340. */
export type KeyScheme = 'ed25519' | 'schnorr-secp256k1' | 'ecdsa-secp256k1' | 'ecdsa-p256';

/** How ECDSA turns the message into the 32 bytes it signs. Schnorr schemes take the message itself: `none`. */
export type SignDigest = 'none' | 'sha256' | 'sha256d' | 'keccak256';

/** One signature to ask for. */
export interface SignInput {
  /** The preimage where the format has one; with an ECDSA scheme and `none`, the 32-byte digest itself. */
  readonly message: Uint8Array;
  readonly digest: SignDigest;
  /** Sign under the Taproot output key: 0 bytes commit to no script path (BIP 86), 32 bytes are a Merkle root. */
  readonly taproot?: { readonly merkleRoot: Uint8Array };
}

/** The public half of the key that will sign. */
export interface IntentKey {
  readonly scheme: KeyScheme;
  /** Ed25519: 32 bytes (RFC 8032). Others: 33 bytes, compressed SEC 1. */
  readonly publicKey: Uint8Array;
}

/** One line to show. Both parts are printable: see `printable`. */
export interface DescriptionLine {
  readonly label: string;
  readonly value: string;
}

/** The finished, verified result. */
export interface Artefact {
  readonly bytes: Uint8Array;
  /** The form people paste, where the format has one: armor, base64, hex or compact token. */
  readonly text?: string;
  readonly mediaType: string;
  /** Suggested ending of a file name, with its dot. */
  readonly suffix: string;
  /** What was made, in plain words. Printable. */
  readonly summary: readonly string[];
}

/** Something a person wants signed, understood. */
export interface Intent {
  readonly kind: IntentKind;
  /** What is signed, in plain words, complete: nothing that the signature authorises is left out. */
  readonly description: readonly DescriptionLine[];
  /** What a careful person should stop at. */
  readonly warnings: readonly string[];
  /** At least one. Each needs one signature, in this order. */
  readonly inputs: readonly SignInput[];
  /**
   * Builds the artefact and verifies it. May be called again with other signatures.
   * @param signatures one per input, in order. Ed25519 and BIP 340: 64 bytes. ECDSA: r ‖ s ‖ recovery id,
   * 65 bytes, low s.
   * @throws KeepsetError `abort/bad-signature` for a signature that does not verify or is malformed,
   * `input/invalid-argument` for a wrong number of signatures.
   */
  finish(signatures: readonly Uint8Array[]): Artefact;
}

/** Formats, as `--as` names them. */
export type IntentKind = 'ssh' | 'raw' | 'psbt' | 'ethereum' | 'ethereum-message' | 'jwt';

/** Which Bitcoin network addresses are written for. The signature does not depend on it. */
export type BitcoinNetwork = 'mainnet' | 'testnet' | 'signet' | 'regtest';

/** What the person may say besides the bytes. */
export interface IntentOptions {
  /** Takes the bytes as this format instead of detecting it. */
  readonly as?: IntentKind;
  /** Shown only. */
  readonly fileName?: string;
  /** `ssh`: the purpose a verifier must ask for. Default `file`. */
  readonly namespace?: string;
  /** `psbt`: default `mainnet`. */
  readonly network?: BitcoinNetwork;
  /** `jwt`: key id for the header. Default: none. */
  readonly kid?: string;
  /** `jwt`: media type for the header. Default `JWT`. */
  readonly typ?: string;
}

/** One format. */
export interface Format {
  readonly kind: IntentKind;
  /** What it is, for help texts. */
  readonly title: string;
  /** Schemes whose keys can sign it. */
  readonly schemes: readonly KeyScheme[];
  /** The key's scheme is one of `schemes` and the key is valid; `bytes` and `key` are the callee's own copies. */
  create(bytes: Uint8Array, key: IntentKey, options: IntentOptions): Intent;
}
