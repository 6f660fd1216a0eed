import { describe, expect, it } from 'vitest';
import { KeepsetError } from '@keepset/bytes';
import { decodeKeyShare, encodeKeyShare, protocolFor, type KeyShare, type PartyId } from '../../src/index.ts';
import {
  dealKey,
  groupOf,
  interpolate,
  names,
  refresh,
  refreshStarts,
  runNetwork,
  schnorrSchemes,
  shareOf,
  sign,
  signRun,
  subsets,
  type Shares,
} from './setup.ts';

const request = { message: new Uint8Array([1, 2, 3]), digest: 'none' } as const;

describe.each(schnorrSchemes)('refresh of %s', (scheme) => {
  const parties = names.slice(0, 3);
  const { shares: old, privateKey } = dealKey(scheme, parties, 2, 'refresh');
  const fresh = refresh(old, 'refresh');
  const protocol = protocolFor(scheme);

  it('keeps the key and changes every share', () => {
    const { epoch, commitments, verifyingShares, ...kept } = groupOf(fresh);
    const before = groupOf(old);
    expect(epoch).toBe(1);
    expect({ ...before, ...kept }).toEqual(before);
    expect(commitments[0]).toEqual(before.publicKey);
    expect(commitments[1]).not.toEqual(before.commitments[1]);
    for (const [i, image] of verifyingShares.entries()) expect(image).not.toEqual(before.verifyingShares[i]);
    for (const share of fresh.values()) {
      expect(share.group).toEqual(groupOf(fresh));
      expect(protocol.checkShare(share)).toBe(true);
      expect(protocol.checkShare(decodeKeyShare(encodeKeyShare(share)))).toBe(true);
    }
  });

  it('lets every quorum sign', () => {
    for (const quorum of [...subsets(parties, 2), [...parties]])
      expect(protocol.verify(groupOf(fresh), request, sign(fresh, quorum, request, quorum.join()))).toBe(
        true,
      );
  });

  it('makes shares that interpolate to the key only among themselves', () => {
    for (const pair of subsets(parties, 2)) {
      expect(interpolate(fresh, pair)).toBe(privateKey);
      const mixed = new Map(fresh).set(pair[0]!, shareOf(old, pair[0]!));
      expect(interpolate(mixed, pair)).not.toBe(privateKey);
    }
    expect(interpolate(fresh, ['usb'])).not.toBe(privateKey);
  });

  it('refuses an old share beside new ones, whatever its public data say', () => {
    const stale = shareOf(old, 'phone');
    const mixed: Shares = new Map(fresh).set('phone', stale);
    for (const outcome of signRun(mixed, ['phone', 'usb'], request, 'mixed').outcomes.values())
      expect(outcome).toMatchObject({ status: 'failed', error: { code: 'abort/wrong-session' } });
    // A thief relabels the old secret: the combination is no signature, and the share is found out.
    const relabelled = { ...stale, group: groupOf(fresh) };
    expect(protocol.checkShare(relabelled)).toBe(false);
    const { outcomes } = signRun(new Map(fresh).set('phone', relabelled), ['phone', 'usb'], request, 'thief');
    expect(outcomes.get('usb')).toMatchObject({
      status: 'failed',
      error: { code: 'abort/bad-share', culprits: ['phone'] },
    });
  });

  it('refuses an old share in the next refresh', () => {
    const starts = refreshStarts(fresh, 'again');
    starts.set('usb', refreshStarts(old, 'again').get('usb')!);
    for (const outcome of runNetwork(starts).outcomes.values())
      expect(outcome).toMatchObject({ status: 'failed', error: { code: 'abort/wrong-session' } });
  });

  it('shows the result as pending before it is accepted, once', () => {
    const seen = new Map<PartyId, KeyShare[]>();
    const starts = [...refreshStarts(old, 'pending')].map(([party, start]) => [party, start()] as const);
    const mail = starts.flatMap(([, step]) => step.outgoing);
    const machines = new Map(starts);
    for (let message = mail.shift(); message !== undefined; message = mail.shift()) {
      const step = machines.get(message.to)!;
      if (step.status !== 'running') throw new Error('ended early');
      const next = step.advance([message]);
      if (next.status === 'running' && next.pending !== undefined)
        seen.set(message.to, [...(seen.get(message.to) ?? []), next.pending]);
      else expect(next.status === 'running' || seen.has(message.to)).toBe(true);
      machines.set(message.to, next);
      mail.push(...next.outgoing);
    }
    for (const [party, step] of machines) {
      if (step.status !== 'done') throw new Error('unfinished');
      for (const pending of seen.get(party)!) expect(pending).toBe(step.result);
      expect(step.result.group.epoch).toBe(1);
    }
  });

  it('refuses a share that is damaged', () => {
    const share = shareOf(old, 'phone');
    const other = shareOf(old, 'usb');
    const start = (changed: KeyShare) => (): unknown =>
      protocol.startRefresh({ share: changed, session: new Uint8Array(32) });
    const code = (run: () => unknown): string => {
      try {
        run();
      } catch (error) {
        if (error instanceof KeepsetError) return error.code;
      }
      throw new Error('not refused');
    };
    const group = share.group;
    expect(code(start({ ...share, secret: other.secret }))).toBe('place/damaged');
    expect(code(start({ ...share, party: 'cloud' }))).toBe('abort/unknown-party');
    expect(
      code(start({ ...share, group: { ...group, commitments: [...group.commitments].reverse() } })),
    ).toBe('input/invalid-argument');
    expect(code(start({ ...share, group: { ...group, scheme: 'ecdsa-p256' } }))).toBe(
      'input/invalid-argument',
    );
    expect(code(start({ ...share, group: { ...group, epoch: Number.MAX_SAFE_INTEGER } }))).toBe(
      'input/invalid-argument',
    );
    expect(code(() => protocol.startRefresh({ share, session: new Uint8Array(31) }))).toBe(
      'input/invalid-argument',
    );
  });
});
