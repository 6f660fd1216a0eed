/** Passkeys through the browser. @spec W3C WebAuthn Level 3 §10.1.4 (prf) */
import { randomBytes } from '@noble/hashes/utils.js';
import { KeepsetError } from '@keepset/bytes';
import type { Passkey } from './fido2prf.ts';

/** `navigator.credentials`, as far as it is used. */
export interface CredentialsContainer {
  create(options: { publicKey: Record<string, unknown> }): Promise<unknown>;
  get(options: { publicKey: Record<string, unknown> }): Promise<unknown>;
}

/** Where the passkey belongs. Both are for ever: another domain cannot use it. */
export interface RelyingParty {
  /** Domain, such as `localhost`; never an address. */
  readonly id: string;
  readonly name: string;
}

interface PrfCredential {
  readonly rawId: ArrayBuffer;
  getClientExtensionResults(): {
    prf?: { enabled?: boolean; results?: { first?: BufferSource; second?: BufferSource } };
  };
}
type BufferSource = ArrayBuffer | ArrayBufferView;

const isCredential = (value: unknown): value is PrfCredential =>
  typeof value === 'object' && value !== null && 'rawId' in value && 'getClientExtensionResults' in value;

/** The same memory, so that wiping it leaves nothing behind. */
const bytesOf = (source: BufferSource | undefined): Uint8Array => {
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  throw noPrf();
};

const noPrf = (): KeepsetError =>
  new KeepsetError('input/unsupported', 'This browser or passkey has no PRF.', {
    hint: 'It takes Chrome 132, Safari 18.4, or newer, and a passkey provider that supports it.',
  });

/** Browsers do not tell a refusal from a missing passkey. @spec W3C WebAuthn Level 3 §14.5.2 (authentication ceremony privacy) */
const declined = (cause: unknown): KeepsetError => {
  if (cause instanceof KeepsetError) return cause;
  if (cause instanceof Error && incapable.includes(cause.name)) return noPrf();
  return new KeepsetError('place/locked', 'The passkey was not used.', {
    hint: 'It was declined, or there is no such passkey in this browser and on the devices it can ask.',
    cause,
  });
};
const incapable: readonly string[] = ['NotSupportedError', 'ConstraintError'];

/**
 * Makes a passkey.
 * @returns its credential id; keep it beside what is sealed to it.
 * @throws KeepsetError `input/unsupported`, `place/locked`.
 */
export const createPasskey = async (
  credentials: CredentialsContainer,
  party: RelyingParty,
  userName: string,
): Promise<Uint8Array> => {
  const created = await credentials
    .create({
      publicKey: {
        rp: party,
        // A fresh id: an existing passkey is never overwritten.
        user: { id: randomBytes(16), name: userName, displayName: userName },
        challenge: randomBytes(32),
        pubKeyCredParams: [-8, -7, -257].map((alg) => ({ type: 'public-key', alg })),
        authenticatorSelection: {
          requireResidentKey: true,
          residentKey: 'required',
          userVerification: 'required',
        },
        extensions: { prf: {} },
      },
    })
    .catch((cause: unknown) => {
      throw declined(cause);
    });
  if (!isCredential(created) || created.getClientExtensionResults().prf?.enabled !== true) throw noPrf();
  return new Uint8Array(created.rawId.slice(0));
};

/** The passkey with that credential id; without one, whichever the user picks. */
export const browserPasskey = (
  credentials: CredentialsContainer,
  party: Pick<RelyingParty, 'id'>,
  credentialId?: Uint8Array,
): Passkey => ({
  evaluate: async (first, second) => {
    const assertion = await credentials
      .get({
        publicKey: {
          rpId: party.id,
          challenge: randomBytes(32),
          allowCredentials: credentialId === undefined ? [] : [{ type: 'public-key', id: credentialId }],
          userVerification: 'required',
          extensions: { prf: { eval: { first, second } } },
        },
      })
      .catch((cause: unknown) => {
        throw declined(cause);
      });
    if (!isCredential(assertion)) throw noPrf();
    const results = assertion.getClientExtensionResults().prf?.results;
    return [bytesOf(results?.first), bytesOf(results?.second)];
  },
});
