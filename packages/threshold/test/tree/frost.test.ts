/** Schnorr keys under any policy: made, used and refused. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { minimalQuorums, parsePolicy } from '@keepset/access';
import {
  decodeKeyShare,
  deriveGroup,
  encodeKeyShare,
  protocolFor,
  taprootOutputKey,
} from '../../src/index.ts';
import type { KeyShare, PartyId, SignRequest } from '../../src/index.ts';
import {
  frostSchemes,
  groupOf,
  hex,
  keygenUnder,
  keyUnder,
  libraryOf,
  plain,
  resultsOf,
  seededRng,
  sha256,
  signStarts,
  theOne,
  type FrostScheme,
} from '../frost/network.ts';
import { fieldsOf } from '../frost/mutations.ts';
import { bip340Verifies, nodeVerifies } from '../frost/reference.ts';
import { dealUnder } from '../life/setup.ts';
import { keyPolicy, setsOf, weightedPolicy } from '../policies.ts';

const codeOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'ok';
};

const signed = (
  shares: ReadonlyMap<PartyId, KeyShare>,
  quorum: readonly PartyId[],
  request: SignRequest,
): Uint8Array => {
  const signatures = [...resultsOf(signStarts(shares, quorum, request, quorum.join())).values()];
  for (const signature of signatures) expect(signature).toEqual(signatures[0]);
  return theOne(signatures[0]);
};

/** Verification that is not ours. */
const verifiesElsewhere = (
  scheme: FrostScheme,
  key: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean =>
  scheme === 'ed25519'
    ? nodeVerifies(key, message, signature)
    : bip340Verifies(key.subarray(1), message, signature);

describe.each(frostSchemes)('%s', (scheme) => {
  const message = sha256('under any policy');

  it('every minimal quorum signs, every other set is refused', () => {
    fc.assert(
      fc.property(fc.oneof(keyPolicy(5), weightedPolicy(6, 4)), (text) => {
        const shares = keyUnder(scheme, text);
        const group = groupOf(shares);
        for (const share of shares.values()) {
          const read = decodeKeyShare(encodeKeyShare(share));
          expect(protocolFor(scheme).checkShare(read)).toBe(true);
        }
        for (const quorum of minimalQuorums(parsePolicy(text, { allowRepeats: true })).slice(0, 4))
          expect(
            verifiesElsewhere(scheme, group.publicKey, message, signed(shares, quorum, plain(message))),
          ).toBe(true);
        for (const few of setsOf(text, false)) {
          const start = signStarts(shares, few, plain(message), 'few').get(few[0] ?? '');
          if (start !== undefined) expect(codeOf(start)).toBe('policy/unsatisfied');
        }
      }),
      { numRuns: 8 },
    );
  });

  it('more than a minimal quorum signs too', () => {
    const shares = keyUnder(scheme, 'and(server,or(phone,thresh(2,laptop,tablet,watch)))');
    for (const quorum of [
      ['server', 'phone', 'laptop', 'tablet'],
      ['server', 'laptop', 'tablet', 'watch'],
      ['server', 'phone', 'laptop', 'tablet', 'watch'],
    ]) {
      const signature = signed(shares, quorum, plain(message));
      expect(verifiesElsewhere(scheme, groupOf(shares).publicKey, message, signature)).toBe(true);
    }
  });

  it('makes the same key, to the byte, as the library’s key generation for one threshold', () => {
    const library = libraryOf(scheme);
    const parties = ['phone', 'server', 'usb'];
    const shares = resultsOf(keygenUnder(scheme, 'thresh(2,phone,server,usb)', 'differential'));
    // The library draws what we draw after the parts of session id and chain code.
    const made = parties.map((me, i) => {
      const rng = seededRng(`differential ${me}`);
      rng(32);
      rng(32);
      const signers = { min: 2, max: 3 };
      return library.DKG.round1(library.Identifier.fromNumber(i + 1), signers, undefined, (n = 32) =>
        Uint8Array.from(rng(n)),
      );
    });
    const dealt = made.map(({ secret }, i) =>
      library.DKG.round2(
        secret,
        made.flatMap((other, j) => (j === i ? [] : [other.public])),
      ),
    );
    made.forEach(({ secret }, i) => {
      const id = library.Identifier.fromNumber(i + 1);
      const key = library.DKG.round3(
        secret,
        made.flatMap((other, j) => (j === i ? [] : [other.public])),
        dealt.flatMap((shares, j) =>
          j === i ? [] : [{ ...theOne(shares[id]), identifier: library.Identifier.fromNumber(j + 1) }],
        ),
      );
      const share = theOne(shares.get(theOne(parties[i])));
      expect(hex(key.secret.signingShare)).toBe(hex(share.secret.reveal()));
      expect(key.public.commitments.map(hex)).toEqual(share.group.commitments.map(hex));
      const images = parties.map((_, j) => key.public.verifyingShares[library.Identifier.fromNumber(j + 1)]);
      expect(images.map((image) => hex(theOne(image)))).toEqual(share.group.verifyingShares.map(hex));
    });
  });

  it('the library takes our proofs of possession and our commitments', () => {
    const library = libraryOf(scheme);
    const starts = keygenUnder(scheme, 'thresh(2,phone,server)', 'our proof');
    const [sent] = theOne(starts.get('server'))().outgoing;
    const { commitments, proof } = fieldsOf(theOne(sent).body) as {
      commitments: Uint8Array[];
      proof: Uint8Array;
    };
    const [first, second] = [1, 2].map((n) => library.Identifier.fromNumber(n)) as [string, string];
    const { secret } = library.DKG.round1(first, { min: 2, max: 2 });
    const theirs = { identifier: second, commitment: commitments, proofOfKnowledge: proof };
    expect(() => library.DKG.round2(secret, [theirs as never])).not.toThrow();
    const other = library.DKG.round1(first, { min: 2, max: 2 }).secret;
    expect(() =>
      library.DKG.round2(other, [{ ...theirs, proofOfKnowledge: proof.with(40, 1 ^ theOne(proof[40])) }]),
    ).toThrow();
  });

  it('a party that stands several times has several sub-shares, and weight', () => {
    const text = 'thresh(3,phone,phone,server,usb)';
    const shares = keyUnder(scheme, text);
    expect(theOne(shares.get('phone')).secret.reveal()).toHaveLength(64);
    expect(groupOf(shares)).toMatchObject({ parties: ['phone', 'server', 'usb'], threshold: 2 });
    const signature = signed(shares, ['phone', 'usb'], plain(message));
    expect(verifiesElsewhere(scheme, groupOf(shares).publicKey, message, signature)).toBe(true);
    expect(codeOf(theOne(signStarts(shares, ['server', 'usb'], plain(message), 'light').get('usb')))).toBe(
      'policy/unsatisfied',
    );
  });
});

describe('derived and Taproot keys under a nested policy', () => {
  const shares = keyUnder('schnorr-secp256k1', 'or(and(server,phone),thresh(3,phone,usb,paper,cloud))');
  const message = sha256('tweaked');
  it.each([
    ['a child', { path: [7, 3] }],
    ['an output key', { taproot: { merkleRoot: new Uint8Array(0) } }],
    ['an output key of a child', { path: [1], taproot: { merkleRoot: new Uint8Array(32).fill(9) } }],
  ])('%s signs by every kind of quorum', (_name, more) => {
    const request: SignRequest = { ...plain(message), ...more };
    const { publicKey } = deriveGroup(groupOf(shares), request.path ?? []);
    const key = request.taproot === undefined ? publicKey : taprootOutputKey(publicKey, request.taproot);
    for (const quorum of [
      ['server', 'phone'],
      ['usb', 'paper', 'cloud'],
      ['phone', 'usb', 'cloud'],
      ['server', 'phone', 'usb', 'paper', 'cloud'],
    ])
      expect(bip340Verifies(key.subarray(1), message, signed(shares, quorum, request))).toBe(true);
  });

  it('is consistent as a key of its own', () => {
    const protocol = protocolFor('schnorr-secp256k1');
    for (const share of shares.values())
      expect(protocol.checkShare(protocol.deriveShare(share, [5, 6]))).toBe(true);
  });
});

it('32 parties make a key under a nested policy and sign with it', () => {
  const names = Array.from({ length: 32 }, (_, i) => `p${i}`);
  const branch = (from: number, to: number, k: number): string =>
    `thresh(${k},${names.slice(from, to).join()})`;
  const text = `and(p0,or(p1,${branch(2, 12, 4)}),thresh(2,${branch(12, 19, 3)},${branch(19, 26, 3)},${branch(26, 32, 2)}))`;
  const shares = keyUnder('schnorr-secp256k1', text);
  const group = groupOf(shares);
  expect(group).toMatchObject({ parties: names, threshold: 7 });
  const message = sha256('many');
  for (const quorum of [
    ['p0', 'p1', 'p12', 'p13', 'p14', 'p26', 'p31'],
    ['p0', 'p3', 'p5', 'p7', 'p11', 'p12', 'p15', 'p18', 'p20', 'p22', 'p24'],
  ])
    expect(bip340Verifies(group.publicKey.subarray(1), message, signed(shares, quorum, plain(message)))).toBe(
      true,
    );
});

describe('public data of a nested key', () => {
  const { shares } = dealUnder('ed25519', 'and(server,or(phone,thresh(2,laptop,tablet)))', 'public');
  const honest = theOne(shares.get('server'));
  const { group } = honest;
  const swapped = (list: readonly Uint8Array[], i: number, j: number): Uint8Array[] =>
    list.map((bytes, at) => (at === i ? theOne(list[j]) : at === j ? theOne(list[i]) : bytes));

  it.each<[string, Partial<KeyShare['group']>]>([
    ['a column more', { commitments: [...group.commitments, group.publicKey] }],
    ['a column less', { commitments: group.commitments.slice(0, 2) }],
    ['columns swapped', { commitments: swapped(group.commitments, 1, 2) }],
    ['leaves swapped', { verifyingShares: swapped(group.verifyingShares, 2, 3) }],
    ['a leaf less', { verifyingShares: group.verifyingShares.slice(0, 3) }],
    ['a leaf more', { verifyingShares: [...group.verifyingShares, theOne(group.verifyingShares[0])] }],
    ['another policy of the same size', { policy: 'and(server,or(laptop,thresh(2,phone,tablet)))' }],
    ['a weaker policy', { policy: 'or(and(server,phone),and(laptop,tablet))' }],
    ['a threshold that is not the policy’s', { threshold: 3 }],
    ['a party under another name', { parties: ['server', 'phone', 'laptop', 'watch'] }],
    ['a policy that is none', { policy: 'and(server' }],
  ])('with %s are refused in a share, a repair and a reshare', (_name, change) => {
    const protocol = protocolFor('ed25519');
    const lie = { ...group, ...change };
    expect(protocol.checkShare({ ...honest, group: lie })).toBe(false);
    const session = sha256('lie');
    const helpers = ['server', 'laptop', 'tablet'];
    const refused = /^(input\/invalid-argument|policy\/(syntax|unsupported))$/;
    expect(
      codeOf(() => protocol.startRepair({ session, group: lie, helpers, target: 'phone', me: 'phone' })),
    ).toMatch(refused);
    const next = { policy: 'and(new,server)', parties: ['new', 'server'], threshold: 2 };
    expect(
      codeOf(() => protocol.startReshare({ session, group: lie, dealers: helpers, next, me: 'new' })),
    ).toMatch(refused);
  });
});
