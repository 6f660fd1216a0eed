import { KeepsetError, fromBase64Url, toBase64Url } from '@keepset/bytes';

/** Everything a device needs to enrol, as one line a person can paste or scan. */
export interface Invite {
  /** `https://host:port` */
  readonly server: string;
  /** One-time code. */
  readonly code: string;
  /** SHA-256 of the server certificate's public key (SPKI), when the certificate is self-made. */
  readonly pin?: Uint8Array;
}

/** `https://host:port/#code` or `https://host:port/#code.pin`. The fragment never reaches a server by accident. */
export const printInvite = (invite: Invite): string =>
  `${invite.server}/#${invite.code}${invite.pin === undefined ? '' : `.${toBase64Url(invite.pin)}`}`;

/** @throws KeepsetError `input/malformed` */
export const parseInvite = (text: string): Invite => {
  const bad = (cause?: unknown): KeepsetError =>
    new KeepsetError('input/malformed', 'This is not an invitation.', {
      hint: 'It looks like https://host:port/#CODE and is printed by `keepset serve`.',
      cause,
    });
  let url: URL;
  try {
    url = new URL(text.trim());
  } catch (cause) {
    throw bad(cause);
  }
  const [code, pin, ...rest] = url.hash.slice(1).split('.');
  if (url.protocol !== 'https:' || code === undefined || !/^[a-z0-9-]{8,64}$/.test(code) || rest.length > 0)
    throw bad();
  if (pin === undefined) return { server: url.origin, code };
  const hash = fromBase64Url(pin);
  if (hash.length !== 32) throw bad();
  return { server: url.origin, code, pin: hash };
};
