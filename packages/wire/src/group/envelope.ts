/**
 * Messages between two devices of a session, which travel through the server and are closed to it.
 * @spec RFC 9180 HPKE in authenticated mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305
 */
import { Chacha20Poly1305 } from '@hpke/chacha20poly1305';
import { CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core';
import * as v from 'valibot';
import { KeepsetError, decodeAs, encodeCbor, type Schema } from '@keepset/bytes';
import type { ProtocolMessage } from '@keepset/threshold';
import { protocolMessage } from '../messages/protocol.ts';
import type { Member } from './introduction.ts';

const suite: CipherSuite = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Chacha20Poly1305(),
});

/** A device's key pair for one session. */
export interface SessionKeys {
  /** X25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** The platform's: the private half is never read from it. */
  readonly pair: Awaited<ReturnType<CipherSuite['kem']['generateKeyPair']>>;
}

/** Fresh keys; they die with the session, so its messages stay closed afterwards. */
export const generateSessionKeys = async (): Promise<SessionKeys> => {
  const pair = await suite.kem.generateKeyPair();
  return {
    publicKey: new Uint8Array(await suite.kem.serializePublicKey(pair.publicKey)),
    pair,
  };
};

/** Bodies are padded to multiples of this, so that sizes say little. */
const padTo = 1024;

interface Padded {
  readonly messages: ProtocolMessage[];
  readonly pad: Uint8Array;
}

const padded: Schema<Padded> = v.strictObject({
  messages: v.pipe(v.array(protocolMessage), v.maxLength(32)),
  pad: v.instance(Uint8Array),
});

const infoOf = (session: Uint8Array, from: string, to: string): Uint8Array =>
  encodeCbor({ label: 'keepset/envelope/v1', session, from, to });

const encodePadded = (messages: readonly ProtocolMessage[]): Uint8Array => {
  const fields = messages.map((message) => ({ ...message }));
  const bare = encodeCbor({ messages: fields, pad: new Uint8Array(0) }).length;
  // The length prefix of `pad` takes up to four bytes more; sizes then differ by that, which is fine.
  return encodeCbor({ messages: fields, pad: new Uint8Array((padTo - (bare % padTo)) % padTo) });
};

/**
 * Seals messages from one member to another.
 * @throws KeepsetError `transport/untrusted-peer` when the other's key is none.
 */
export const sealEnvelope = async (
  session: Uint8Array,
  from: { readonly party: string; readonly keys: SessionKeys },
  to: Member,
  messages: readonly ProtocolMessage[],
): Promise<Uint8Array> => {
  let sender: Awaited<ReturnType<CipherSuite['createSenderContext']>>;
  try {
    sender = await suite.createSenderContext({
      recipientPublicKey: await suite.kem.deserializePublicKey(to.key),
      senderKey: from.keys.pair,
      info: infoOf(session, from.party, to.party),
    });
  } catch (cause) {
    throw new KeepsetError(
      'transport/untrusted-peer',
      `${to.party} introduced itself with a key that is none.`,
      { culprits: [to.party], cause },
    );
  }
  const sealed = new Uint8Array(await sender.seal(encodePadded(messages)));
  return encodeCbor({ enc: new Uint8Array(sender.enc), sealed });
};

const envelope: Schema<{ enc: Uint8Array; sealed: Uint8Array }> = v.strictObject({
  enc: v.instance(Uint8Array),
  sealed: v.instance(Uint8Array),
});

/**
 * Opens an envelope and checks that its messages are from `from` to `to`.
 * @throws KeepsetError `transport/untrusted-peer` when `from` did not seal it for this session and recipient.
 */
export const openEnvelope = async (
  session: Uint8Array,
  from: Member,
  to: { readonly party: string; readonly keys: SessionKeys },
  bytes: Uint8Array,
): Promise<readonly ProtocolMessage[]> => {
  const { enc, sealed } = decodeAs(envelope, bytes, 'envelope');
  let plaintext: Uint8Array;
  try {
    const recipient = await suite.createRecipientContext({
      recipientKey: to.keys.pair,
      senderPublicKey: await suite.kem.deserializePublicKey(from.key),
      enc,
      info: infoOf(session, from.party, to.party),
    });
    plaintext = new Uint8Array(await recipient.open(sealed));
  } catch (cause) {
    throw new KeepsetError('transport/untrusted-peer', `A message was not sealed by ${from.party}.`, {
      cause,
    });
  }
  const { messages } = decodeAs(padded, plaintext, 'envelope content');
  if (messages.some((message) => message.from !== from.party || message.to !== to.party))
    throw new KeepsetError('transport/untrusted-peer', `${from.party} sent a message in another name.`, {
      culprits: [from.party],
    });
  return messages;
};
