import { readFileSync } from 'node:fs';
import { DhkemX25519HkdfSha256 } from '@hpke/core';
import { expect, it, vi } from 'vitest';
import { KeepsetError, decodeCbor, encodeCbor, fromBase64, fromHex, utf8ToBytes } from '@keepset/bytes';
import type { ProtocolMessage } from '@keepset/threshold';
import {
  generateSessionKeys,
  openEnvelope,
  sealEnvelope,
  type Member,
  type SessionKeys,
} from '../src/index.ts';

interface Side {
  readonly party: string;
  readonly keys: SessionKeys;
}

const session = new Uint8Array(32).fill(7);
const message: ProtocolMessage = {
  context: new Uint8Array(32).fill(8),
  round: 1,
  from: 'phone',
  to: 'laptop',
  body: utf8ToBytes('hello'),
};

const side = async (party: string): Promise<Side> => ({ party, keys: await generateSessionKeys() });
const memberOf = ({ party, keys }: Side): Member => ({ party, key: keys.publicKey });

/** The error’s code where the envelope is refused. */
const refusal = (opened: Promise<unknown>): Promise<unknown> =>
  opened.then(
    () => 'opened',
    (error: unknown) => (error instanceof KeepsetError ? error.code : error),
  );

it('opens what another implementation of RFC 9180 sealed, for ever', async () => {
  const fixture = JSON.parse(
    readFileSync(new URL('fixtures/v1-envelope.json', import.meta.url), 'utf8'),
  ) as Record<'phone' | 'laptop', Record<'publicKey' | 'privateKey', string>> & { envelope: string };
  const kem = new DhkemX25519HkdfSha256();
  const keysOf = async (name: 'phone' | 'laptop'): Promise<SessionKeys> => {
    const publicKey = fromHex(fixture[name].publicKey);
    const pair = {
      publicKey: await kem.deserializePublicKey(publicKey),
      privateKey: await kem.deserializePrivateKey(fromHex(fixture[name].privateKey)),
    };
    return { publicKey, pair };
  };
  const opened = await openEnvelope(
    session,
    { party: 'phone', key: (await keysOf('phone')).publicKey },
    { party: 'laptop', keys: await keysOf('laptop') },
    fromBase64(fixture.envelope),
  );
  expect(opened).toEqual([message]);
});

it('opens for whom it was sealed, and says nothing of its size below a kilobyte', async () => {
  const [phone, laptop] = [await side('phone'), await side('laptop')];
  const sealed = await sealEnvelope(session, phone, memberOf(laptop), [message]);
  expect(await openEnvelope(session, memberOf(phone), laptop, sealed)).toEqual([message]);
  const longer = await sealEnvelope(session, phone, memberOf(laptop), [
    { ...message, body: new Uint8Array(700) },
  ]);
  expect(Math.abs(longer.length - sealed.length)).toBeLessThan(4);
});

it('is made and opened without a private key being read from the platform', async () => {
  const exported = vi.spyOn(crypto.subtle, 'exportKey');
  const [phone, laptop] = [await side('phone'), await side('laptop')];
  const sealed = await sealEnvelope(session, phone, memberOf(laptop), [message]);
  await openEnvelope(session, memberOf(phone), laptop, sealed);
  expect(exported).toHaveBeenCalled();
  for (const [, key] of exported.mock.calls) expect(key.type).toBe('public');
  exported.mockRestore();
});

it('is refused from another sender, to another recipient, in another session, and after any change', async () => {
  const [phone, laptop, other] = [await side('phone'), await side('laptop'), await side('other')];
  const sealed = await sealEnvelope(session, phone, memberOf(laptop), [message]);
  const another = new Uint8Array(32).fill(9);
  const { enc, sealed: body } = decodeCbor(sealed) as { enc: Uint8Array; sealed: Uint8Array };
  const changed = (at: number): Uint8Array =>
    encodeCbor({ enc, sealed: body.map((byte, i) => (i === at ? byte ^ 1 : byte)) });
  const untrusted = [
    () => openEnvelope(session, { ...memberOf(phone), key: other.keys.publicKey }, laptop, sealed),
    () => openEnvelope(session, { ...memberOf(phone), party: 'other' }, laptop, sealed),
    () => openEnvelope(session, memberOf(phone), { ...laptop, keys: other.keys }, sealed),
    () => openEnvelope(session, memberOf(phone), { ...laptop, party: 'other' }, sealed),
    () => openEnvelope(another, memberOf(phone), laptop, sealed),
    () =>
      openEnvelope(session, memberOf(phone), laptop, encodeCbor({ enc: new Uint8Array(32), sealed: body })),
    ...[0, 500, body.length - 1].map(
      (at) => () => openEnvelope(session, memberOf(phone), laptop, changed(at)),
    ),
  ];
  for (const open of untrusted) expect(await refusal(open())).toBe('transport/untrusted-peer');
});

it('is refused with a message in another name', async () => {
  const [phone, laptop] = [await side('phone'), await side('laptop')];
  for (const lie of [{ from: 'tablet' }, { to: 'phone' }]) {
    const sealed = await sealEnvelope(session, phone, memberOf(laptop), [{ ...message, ...lie }]);
    expect(await refusal(openEnvelope(session, memberOf(phone), laptop, sealed))).toBe(
      'transport/untrusted-peer',
    );
  }
});

it('is not sealed to a key whose secret anybody knows', async () => {
  const phone = await side('phone');
  // Two of the points of low order, and none at all.
  for (const [first, length] of [
    [0, 32],
    [1, 32],
    [9, 31],
  ] as const) {
    const key = Uint8Array.from({ length }, (_, at) => (at === 0 ? first : 0));
    expect(await refusal(sealEnvelope(session, phone, { party: 'laptop', key }, [message]))).toBe(
      'transport/untrusted-peer',
    );
  }
});
