/** Attacks that take more than one wrong value: each is mounted as its inventor would. */
import { describe, expect, it } from 'vitest';
import { Secret } from '@keepset/bytes';
import type { KeyShare, PartyId, ProtocolMessage } from '../../src/index.ts';
import { codeOf } from '../machine/support.ts';
import { bodyFrom, forged, groups } from './forge.ts';
import { fieldsOf, orders, scalarBytes, scalarOf } from './mutations.ts';
import {
  endOf,
  frostSchemes,
  groupOf,
  hex,
  keyOf,
  plain,
  rehearse,
  run,
  sha256,
  signStarts,
  theOne,
} from './network.ts';

describe.each(frostSchemes)('signing with %s', (scheme) => {
  const shares = keyOf(scheme, 2, 3);
  const parties = ['phone', 'server', 'usb'];
  const request = plain(sha256('m'));

  it('blames no honest party when someone shows different nonces to different parties', () => {
    const [one, two] = ['face one', 'face two'].map((seed) =>
      signStarts(shares, parties, request, seed, sha256('s')),
    );
    const forUsb = rehearse(theOne(two));
    const wire = (message: ProtocolMessage): readonly ProtocolMessage[] => {
      if (message.from !== 'server' || message.to !== 'usb' || message.round !== 1) return [message];
      return [{ ...message, body: bodyFrom(forUsb, 'usb', 1, 'server') }];
    };
    const ended = run(theOne(one), { wire });
    expect(ended.results.size).toBe(0);
    expect(ended.failures.size).toBe(3);
    for (const error of ended.failures.values())
      expect(error).toMatchObject({ code: 'abort/transcript-mismatch', culprits: [] });
  });

  it('refuses nonces chosen to cancel the others’', () => {
    const rehearsal = rehearse(signStarts(shares, parties, request, 'cancel'));
    const negated = (field: string): Uint8Array =>
      ['phone', 'usb']
        .map((from) =>
          groups[scheme].fromBytes(fieldsOf(bodyFrom(rehearsal, 'server', 1, from))[field] as Uint8Array),
        )
        .reduce((sum, point) => sum.add(point))
        .negate()
        .toBytes();
    const messages = forged(rehearsal, 'phone', 1, {
      server: { hiding: negated('hiding'), binding: negated('binding') },
    });
    const step = rehearsal.at('phone', 1).advance(messages);
    // Its own share says nothing yet; without a share for these nonces there is no signature.
    if (step.status === 'done') throw new Error('signed');
    expect(codeOf(() => step.advance(rehearsal.inbox('phone', 2)))).toBe('abort/transcript-mismatch');
  });

  it.each([
    ['adds 1 to its share', (z: bigint, q: bigint) => (z + 1n) % q],
    ['negates its share', (z: bigint, q: bigint) => q - z],
    ['sends zero', () => 0n],
  ])('lets nothing out and names the one who %s', (_name, change) => {
    const rehearsal = rehearse(signStarts(shares, parties, request, 'bad share'));
    const z = scalarOf(scheme, fieldsOf(bodyFrom(rehearsal, 'phone', 2, 'usb'))['share'] as Uint8Array);
    const share = scalarBytes(scheme, change(z, orders[scheme]));
    const error = endOf(rehearsal, 'phone', 2, forged(rehearsal, 'phone', 2, { usb: { share } }));
    expect(error).toMatchObject({ code: 'abort/bad-share', culprits: ['usb'] });
  });

  it('names all who sent wrong shares', () => {
    const rehearsal = rehearse(signStarts(shares, parties, request, 'two bad shares'));
    const share = scalarBytes(scheme, 7n);
    const messages = forged(rehearsal, 'phone', 2, { server: { share }, usb: { share } });
    expect(endOf(rehearsal, 'phone', 2, messages)).toMatchObject({ culprits: ['server', 'usb'] });
  });

  it('lets wrong shares pass only when they make the right signature', () => {
    // One adds what the other subtracts: the sum, which is the signature, is what it should be.
    const rehearsal = rehearse(signStarts(shares, parties, request, 'offset'));
    const q = orders[scheme];
    const shifted = (from: PartyId, by: bigint): { share: Uint8Array } => ({
      share: scalarBytes(
        scheme,
        (scalarOf(scheme, fieldsOf(bodyFrom(rehearsal, 'phone', 2, from))['share'] as Uint8Array) + by) % q,
      ),
    });
    const step = rehearsal
      .at('phone', 2)
      .advance(forged(rehearsal, 'phone', 2, { server: shifted('server', 5n), usb: shifted('usb', q - 5n) }));
    expect(step.status === 'done' && hex(step.result)).toBe(hex(theOne(rehearsal.results.get('phone'))));
  });

  it('keeps keys, epochs, quorums and messages apart', () => {
    const session = sha256('one session for all');
    const base = signStarts(shares, ['phone', 'server'], request, 'apart', session);
    const advanced = (share: KeyShare): KeyShare => ({ ...share, group: { ...share.group, epoch: 1 } });
    const others = [
      signStarts(keyOf(scheme, 2, 2), ['phone', 'server'], request, 'apart', session),
      signStarts(shares, parties, request, 'apart', session),
      signStarts(shares, ['phone', 'server'], plain(sha256('another message')), 'apart', session),
      signStarts(shares, ['phone', 'server'], request, 'apart', sha256('another session')),
      signStarts(
        new Map([...shares].map(([party, share]) => [party, advanced(share)])),
        ['phone', 'server'],
        request,
        'apart',
        session,
      ),
    ];
    for (const other of others) {
      const ended = run(new Map([...base, ['server', theOne(other.get('server'))]]));
      expect(ended.results.size).toBe(0);
      expect(new Set(ended.refusals.map(([, error]) => error.code))).toEqual(
        new Set(['abort/wrong-session']),
      );
    }
  });

  it('makes nothing of shares of two keys, whatever they call themselves', () => {
    const foreign = theOne(keyOf(scheme, 2, 2).get('server'));
    const impostor: KeyShare = {
      group: groupOf(shares),
      party: 'server',
      secret: new Secret(Uint8Array.from(foreign.secret.reveal())),
    };
    const ended = run(
      signStarts(new Map([...shares, ['server', impostor]]), ['phone', 'server'], request, 'impostor'),
    );
    expect(ended.results.size).toBe(0);
    expect(ended.failures.get('phone')).toMatchObject({ code: 'abort/bad-share', culprits: ['server'] });
  });
});
