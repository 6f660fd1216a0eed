import { describe, expect, it } from 'vitest';
import { KeepsetError, decodeCbor, encodeCbor, type CborValue } from '@keepset/bytes';
import { ecdsaP256Suite, ecdsaSecp256k1Suite } from '../../src/ecdsa/suites.ts';
import { decodeKeyShare, deriveGroup, encodeKeyShare, protocolFor, type PartyId } from '../../src/index.ts';
import { ecdsaLife } from '../../src/life/ecdsa.ts';
import { makeKey } from '../ecdsa/network.ts';
import {
  groupOf,
  names,
  refresh,
  repair,
  repairStarts,
  reshare,
  runNetwork,
  seededRng,
  sessionOf,
  shareOf,
  sign,
  signRun,
  subsets,
  type Shares,
} from './setup.ts';

const request = { message: new Uint8Array([1, 2, 3]), digest: 'sha256' } as const;
const parties = names.slice(0, 3);

/** That the shares are whole, of the same key as before, and sign. */
const expectSigning = (shares: Shares, before: Shares, quorums: readonly (readonly PartyId[])[]): void => {
  const { scheme, keyId, publicKey, chainCode } = groupOf(before);
  const protocol = protocolFor(scheme);
  for (const share of shares.values()) {
    expect(protocol.checkShare(decodeKeyShare(encodeKeyShare(share)))).toBe(true);
    expect(share.group).toMatchObject({ keyId, publicKey, chainCode });
  }
  for (const quorum of quorums)
    expect(protocol.verify(groupOf(before), request, sign(shares, quorum, request, quorum.join()))).toBe(
      true,
    );
};

describe('the life of an ECDSA key', () => {
  const suite = ecdsaLife(ecdsaSecp256k1Suite);
  const protocol = protocolFor('ecdsa-secp256k1');
  const first = makeKey(ecdsaSecp256k1Suite, 2, parties, 'life');
  const fresh = refresh(first, 'refresh');

  it('signs after a refresh, with new setups between all', () => {
    expectSigning(fresh, first, subsets(parties, 2));
    expect(groupOf(fresh).epoch).toBe(1);
    for (const party of parties) {
      const before = suite.openSecret(shareOf(first, party)).pairs;
      const after = suite.openSecret(shareOf(fresh, party)).pairs;
      expect([...after.keys()]).toEqual([...before.keys()]);
      for (const [peer, state] of after) {
        const old = before.get(peer)!;
        expect(state.zeroSeed).not.toEqual(old.zeroSeed);
        expect(state.sender.delta).not.toEqual(old.sender.delta);
        expect(state.sender.leaves).not.toEqual(old.sender.leaves);
        expect(state.receiver.leaves).not.toEqual(old.receiver.leaves);
      }
    }
  });

  it('refuses a share of the old epoch, and does so before anything that bans', () => {
    const mixed = new Map(fresh).set('usb', shareOf(first, 'usb'));
    for (const outcome of signRun(mixed, ['phone', 'usb'], request, 'mixed').outcomes.values())
      expect(outcome).toMatchObject({ status: 'failed', error: { code: 'abort/wrong-session' } });
  });

  it('signs after a reshare to other parties and another threshold', () => {
    const next = reshare(fresh, ['phone', 'usb'], ['server', 'ipad', 'phone'], 3, 'reshare');
    expectSigning(next, first, [['server', 'ipad', 'phone']]);
  });

  it('signs with a repaired share; the helpers’ other setups stay', () => {
    const repaired = repair(fresh, ['phone', 'server'], 'usb', 'repair');
    expectSigning(repaired, first, subsets(parties, 2));
    const pairsOf = (shares: Shares, party: PartyId): ReturnType<typeof suite.openSecret>['pairs'] =>
      suite.openSecret(shareOf(shares, party)).pairs;
    expect(suite.openSecret(shareOf(repaired, 'usb')).shares).toEqual(
      suite.openSecret(shareOf(fresh, 'usb')).shares,
    );
    expect(pairsOf(repaired, 'phone').get('server')).toEqual(pairsOf(fresh, 'phone').get('server'));
    expect(pairsOf(repaired, 'phone').get('usb')).not.toEqual(pairsOf(fresh, 'phone').get('usb'));
    // A copy of the lost share that turns up again has the old setups: refused, but no ban.
    const found = new Map(repaired).set('usb', shareOf(fresh, 'usb'));
    for (const outcome of signRun(found, ['phone', 'usb'], request, 'found').outcomes.values())
      expect(outcome).toMatchObject({ status: 'failed', error: { code: 'abort/wrong-epoch' } });
  });

  it('refuses to sign with a party that did not help', () => {
    const share = shareOf(fresh, 'usb');
    const open = suite.openSecret(share);
    const pairs = new Map([...open.pairs].filter(([peer]) => peer !== 'phone'));
    const partial = new Map(fresh).set('usb', { ...share, secret: suite.sealSecret({ ...open, pairs }) });
    expect(protocol.checkShare(shareOf(partial, 'usb'))).toBe(true);
    expectSigning(partial, first, [['server', 'usb']]);
    expect(() => sign(partial, ['phone', 'usb'], request, 'stranger')).toThrow(
      expect.objectContaining({ code: 'input/invalid-argument' }),
    );
  });

  it('derives shares that sign for the child as a request with a path does', () => {
    const path = [2, 7];
    const children = new Map(
      parties.map((party) => [party, protocol.deriveShare(shareOf(fresh, party), path)] as const),
    );
    const signature = sign(children, ['phone', 'usb'], request, 'child');
    const child = deriveGroup(groupOf(fresh), path);
    expect(groupOf(children)).toEqual(child);
    expect(protocol.verify(child, request, signature)).toBe(true);
    expect(protocol.verify(groupOf(fresh), { ...request, path }, signature)).toBe(true);
    const atPath = sign(fresh, ['phone', 'usb'], { ...request, path }, 'path');
    expect(protocol.verify(child, request, atPath)).toBe(true);
  });

  it.each([3, 4])('accepts nothing where the transcripts of round %i differ', (round) => {
    const pair = new Map([...first].filter(([party]) => party !== 'usb'));
    const target = 'usb';
    const starts = repairStarts(pair, ['phone', 'server'], target, 'transcripts');
    const { outcomes, sent } = runNetwork(starts, (message) => {
      if (message.from !== target || message.round !== round) return message;
      const fields = decodeCbor(message.body) as Record<string, CborValue>;
      return { ...message, body: encodeCbor({ ...fields, transcript: new Uint8Array(32) }) };
    });
    for (const helper of ['phone', 'server'])
      expect(outcomes.get(helper)).toMatchObject({
        status: 'failed',
        error: { code: 'abort/transcript-mismatch', round, culprits: [] },
      });
    // Who saw a difference in round 3 does not say in round 4 that it holds anything.
    const held = sent.filter((message) => message.round === 4).map(({ from }) => from);
    expect(new Set(held)).toEqual(new Set(round === 3 ? [target] : ['phone', 'server', target]));
    expect(outcomes.get(target)!.status).toBe(round === 3 ? 'waiting' : 'done');
  });

  it('works on P-256 too', () => {
    const key = makeKey(ecdsaP256Suite, 2, ['phone', 'server'], 'p256');
    expectSigning(refresh(key, 'p256'), key, [['phone', 'server']]);
  });
});

describe('the setup of a pair within a refresh', () => {
  const suite = ecdsaLife(ecdsaSecp256k1Suite);
  const pairOf = (isEarlier: boolean): NonNullable<ReturnType<NonNullable<typeof suite.startPair>>> => {
    const [me, peer] = isEarlier ? ['phone', 'server'] : ['server', 'phone'];
    return suite.startPair!({ context: sessionOf('pair'), me, peer, isEarlier }, seededRng(me));
  };
  const phone1 = pairOf(true);
  const server1 = pairOf(false);
  const phone2 = phone1.next(server1.part);
  const server2 = server1.next(phone1.part);
  const phone3 = phone2.next(server2.part);
  const server3 = server2.next(phone2.part);
  const phoneState = phone3.next(server3.part);
  const serverState = server3.next(phone3.part);

  /** The peers' steps from a changed part on; what each came to, or who blames whom. */
  const runs = {
    'phone 1': (part: Uint8Array) => {
      const server = server1.next(part);
      const phone = phone1.next(server1.part).next(server.part);
      return [phone.next(server.next(phone2.part).part), server.next(phone2.part).next(phone.part)];
    },
    'server 1': (part: Uint8Array) => {
      const phone = phone1.next(part);
      const server = server2.next(phone.part);
      const third = phone.next(server2.part);
      return [third.next(server.part), server.next(third.part)];
    },
    'phone 2': (part: Uint8Array) => {
      const server = server2.next(part);
      return [phone3.next(server.part), server.next(phone3.part)];
    },
    'server 2': (part: Uint8Array) => {
      const phone = phone2.next(part);
      return [phone.next(server3.part), server3.next(phone.part)];
    },
    'phone 3': (part: Uint8Array) => [phoneState, server3.next(part)],
    'server 3': (part: Uint8Array) => [phone3.next(part), serverState],
  } as const;
  const parts = {
    'phone 1': phone1.part,
    'server 1': server1.part,
    'phone 2': phone2.part,
    'server 2': server2.part,
    'phone 3': phone3.part,
    'server 3': server3.part,
  } as const;
  const blamed = (run: () => unknown): readonly string[] | undefined => {
    try {
      run();
      return undefined;
    } catch (error) {
      if (!(error instanceof KeepsetError) || error.family !== 'abort') throw error;
      return error.culprits;
    }
  };

  it.each(Object.keys(parts) as (keyof typeof parts)[])('names who changed part %s in any field', (name) => {
    const fields = decodeCbor(parts[name]);
    for (const path of pathsTo(fields)) {
      let states: readonly unknown[] | undefined;
      const culprits = blamed(() => {
        states = runs[name](encodeCbor(flippedAt(fields, path)));
      });
      // Of a pair of OT messages the receiver reads one: a change to the other goes unnoticed, and changes nothing.
      if (culprits === undefined) expect(states, path.join('.')).toEqual([phoneState, serverState]);
      // A changed contribution shows in what both compute from it: either may be the one who notices.
      else if (path[0] === 'random') expect(culprits).toHaveLength(1);
      else expect(culprits, path.join('.')).toEqual([name.split(' ')[0]]);
      // Nothing that depends on the setup is sent after a failed check.
      if (name === 'server 2' && culprits !== undefined)
        expect(blamed(() => phone2.next(encodeCbor(flippedAt(fields, path))))).toEqual(['server']);
    }
  });

  it.each(Object.keys(parts) as (keyof typeof parts)[])('refuses part %s in another form', (name) => {
    const fields = decodeCbor(parts[name]) as Record<string, CborValue>;
    const wrong: CborValue[] = [[], null, { ...fields, more: 1 }, { ...fields, random: new Uint8Array(31) }];
    for (const key of Object.keys(fields)) wrong.push({ ...fields, [key]: undefined });
    const bodies = [...wrong.map((value) => encodeCbor(value)), new Uint8Array(1), parts[name].slice(1)];
    for (const body of bodies) expect(blamed(() => runs[name](body))).toEqual([name.split(' ')[0]]);
  });
});

type Path = readonly string[];

const pathsTo = (value: CborValue): Path[] => {
  if (value instanceof Uint8Array) return [[]];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) =>
    pathsTo(item as CborValue).map((rest) => [key, ...rest]),
  );
};

/** The value with one bit of the bytes at `path` flipped. */
const flippedAt = (value: CborValue, path: Path): CborValue => {
  if (value instanceof Uint8Array) {
    const bytes = value.slice();
    bytes[bytes.length - 1]! ^= 1;
    return bytes;
  }
  const [key, ...rest] = path;
  const fields = value as Record<string, CborValue>;
  return { ...fields, [key!]: flippedAt(fields[key!]!, rest) };
};
