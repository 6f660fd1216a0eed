/** A passkey provider in software, as a browser offers it. */
import { createHmac, randomBytes } from 'node:crypto';
import type { CredentialsContainer } from '../src/index.ts';

/** What is wrong with it. */
export interface AuthenticatorOptions {
  readonly prf?: boolean;
  /** Like iOS 18.0 to 18.3 over hybrid: other values each time. */
  readonly fickle?: boolean;
  readonly declines?: boolean;
}
interface Request {
  readonly publicKey: {
    readonly user?: { readonly id: Uint8Array };
    readonly allowCredentials?: readonly { readonly id: Uint8Array }[];
    readonly extensions: { readonly prf: { readonly eval?: { first: Uint8Array; second: Uint8Array } } };
  };
}

/** An authenticator in software: hmac-secret as in CTAP 2.1, with the client's hashing. */
export const authenticator = (
  options: AuthenticatorOptions = {},
): CredentialsContainer & { prompts: () => number } => {
  const secrets = new Map<string, Buffer>();
  let prompts = 0;
  const credential = (id: Buffer, prf: object | undefined): object => ({
    rawId: Uint8Array.from(id).buffer,
    response: { getTransports: () => ['internal'] },
    getClientExtensionResults: () => (prf === undefined ? {} : { prf }),
  });
  return {
    prompts: () => prompts,
    create: async () => {
      prompts += 1;
      if (options.declines === true) throw new DOMException('no', 'NotAllowedError');
      const id = randomBytes(16);
      secrets.set(id.toString('hex'), randomBytes(32));
      return credential(id, options.prf === false ? undefined : { enabled: true });
    },
    get: async (request) => {
      prompts += 1;
      if (options.declines === true) throw new DOMException('no', 'NotAllowedError');
      const { allowCredentials = [], extensions } = (request as unknown as Request).publicKey;
      const wanted = allowCredentials.map(({ id }) => Buffer.from(id).toString('hex'));
      const found = [...secrets].find(([id]) => wanted.length === 0 || wanted.includes(id));
      if (found === undefined) throw new DOMException('no such credential', 'NotAllowedError');
      const [id, secret] = found;
      const value = (input: Uint8Array): ArrayBuffer => {
        const salt = createHmac('sha256', '').update('WebAuthn PRF\0').update(input).digest();
        const key = options.fickle === true ? randomBytes(32) : secret;
        return Uint8Array.from(createHmac('sha256', key).update(salt).digest()).buffer;
      };
      const inputs = extensions.prf.eval!;
      return credential(
        Buffer.from(id, 'hex'),
        options.prf === false
          ? undefined
          : { results: { first: value(inputs.first), second: value(inputs.second) } },
      );
    },
  };
};
