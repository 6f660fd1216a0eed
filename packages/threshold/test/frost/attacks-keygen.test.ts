/** Attacks that take more than one wrong value: each is mounted as its inventor would. */
import { describe, expect, it } from 'vitest';
import { hashValue, type CborValue, type KeepsetError } from '@keepset/bytes';
import {
  protocolFor,
  type KeyShare,
  type PartyId,
  type ProtocolMessage,
  type Step,
} from '../../src/index.ts';
import { bodyFrom, forged, groups, type Element } from './forge.ts';
import { fieldsOf, scalarBytes } from './mutations.ts';
import {
  endOf,
  frostSchemes,
  groupOf,
  keygenStarts,
  rehearse,
  seededRng,
  sha256,
  libraryOf,
  theOne,
} from './network.ts';

describe.each(frostSchemes)('keygen for %s', (scheme) => {
  // The library's own key generation serves the attacker.
  const keygen = libraryOf(scheme);
  const Group = groups[scheme];
  const identifier = (n: number): string => keygen.Identifier.fromNumber(n);

  it.each([
    ['one more', 3],
    ['fourteen more', 16],
  ])(
    'refuses a polynomial of %s coefficients, properly proven: it would raise the threshold',
    (_name, min) => {
      const rehearsal = rehearse(keygenStarts(scheme, 2, ['phone', 'server', 'usb'], 'oversized'));
      const long = keygen.DKG.round1(identifier(2), { min, max: 16 }).public;
      const messages = forged(rehearsal, 'phone', 1, {
        server: { commitments: long.commitment, proof: long.proofOfKnowledge },
      });
      expect(endOf(rehearsal, 'phone', 1, messages)).toMatchObject({
        code: 'abort/malformed-message',
        culprits: ['server'],
      });
    },
  );

  it('refuses a rogue key, whatever is offered as proof of its possession', () => {
    const rehearsal = rehearse(keygenStarts(scheme, 2, ['phone', 'server'], 'rogue'));
    const victims = fieldsOf(bodyFrom(rehearsal, 'server', 1, 'phone'));
    const victimsConstant = Group.fromBytes(theOne((victims['commitments'] as Uint8Array[])[0]));
    // The attacker knows x and wants the sum of all constants to be x·G: its own must be x·G − the victim's.
    const x = scalarBytes(scheme, 123456789n);
    const wanted = Group.BASE.multiply(123456789n);
    const rogue = wanted.add(victimsConstant.negate());
    const signers = { min: 2, max: 2 };
    const honest = keygen.DKG.round1(identifier(2), signers, x).public;
    const own = fieldsOf(bodyFrom(rehearsal, 'phone', 1, 'server'));
    const proofs: readonly (readonly [string, CborValue])[] = [
      ['its honest proof of another key', theOne(own['proof'])],
      ['a proof that it knows x', honest.proofOfKnowledge],
      ['the victim’s proof', theOne(victims['proof'])],
      [
        'a proof of its own for the victim’s number',
        keygen.DKG.round1(identifier(1), signers, x).public.proofOfKnowledge,
      ],
    ];
    for (const [name, proof] of proofs) {
      const commitments = [rogue.toBytes(), theOne(honest.commitment[1])];
      const error = endOf(
        rehearsal,
        'phone',
        1,
        forged(rehearsal, 'phone', 1, { server: { commitments, proof } }),
      );
      expect(error, name).toMatchObject({ code: 'abort/bad-proof', culprits: ['server'], round: 1 });
    }
    // The proofs are good for what they were made for.
    const good = forged(rehearsal, 'phone', 1, {
      server: { commitments: honest.commitment, proof: honest.proofOfKnowledge },
    });
    expect(rehearsal.at('phone', 1).advance(good).status).toBe('running');
  });

  it('refuses a proof made under another party’s number', () => {
    const rehearsal = rehearse(keygenStarts(scheme, 2, ['phone', 'server', 'usb'], 'number'));
    for (const [number, code] of [
      [1, 'abort/bad-proof'],
      [3, 'abort/bad-proof'],
      [4, 'abort/bad-proof'],
      // The right number: now only the share it deals does not fit.
      [2, 'abort/bad-share'],
    ] as const) {
      const { commitment, proofOfKnowledge } = keygen.DKG.round1(identifier(number), {
        min: 2,
        max: 3,
      }).public;
      const messages = forged(rehearsal, 'phone', 1, {
        server: { commitments: commitment, proof: proofOfKnowledge },
      });
      expect(endOf(rehearsal, 'phone', 1, messages), String(number)).toMatchObject({
        code,
        culprits: ['server'],
      });
    }
  });

  it('refuses conspirators who cancel the highest coefficient, which no share file would accept', () => {
    const rehearsal = rehearse(keygenStarts(scheme, 3, ['phone', 'server', 'usb'], 'cancel'));
    const top = (from: PartyId): Element =>
      Group.fromBytes(
        theOne(
          (
            fieldsOf(bodyFrom(rehearsal, from === 'phone' ? 'server' : 'phone', 1, from))[
              'commitments'
            ] as Uint8Array[]
          )[2],
        ),
      );
    // f(1) = a0 + c1 + c2 is dealt to the phone. a0 and f(1) are known; c2 cancels the others' and is not; c1 follows.
    const [a0, dealt] = [1234n, 5678n];
    const constant = Group.BASE.multiply(a0);
    const highest = top('phone').add(top('usb')).negate();
    const middle = Group.BASE.multiply(dealt).add(constant.negate()).add(highest.negate());
    const proof = keygen.DKG.round1(identifier(2), { min: 3, max: 3 }, scalarBytes(scheme, a0)).public
      .proofOfKnowledge;
    const commitments = [constant, middle, highest].map((point) => point.toBytes());
    const step = rehearsal
      .at('phone', 1)
      .advance(forged(rehearsal, 'phone', 1, { server: { commitments, proof } }));
    if (step.status === 'done') throw new Error('too early');
    let error: KeepsetError | undefined;
    try {
      step.advance(forged(rehearsal, 'phone', 2, { server: { share: scalarBytes(scheme, dealt) } }));
    } catch (thrown) {
      error = thrown as KeepsetError;
    }
    // Which of the two others did it, or both, cannot be known.
    expect(error).toMatchObject({ code: 'abort/bad-share', culprits: [] });
  });

  /** Two machines of one dishonest party, one for each victim, in front of one honest network. */
  const twoFaced = (
    faces: (party: PartyId) => Step<KeyShare>,
  ): Map<PartyId, KeepsetError | KeyShare | 'waiting'> => {
    const honest = keygenStarts(scheme, 2, ['phone', 'server', 'usb'], 'two-faced');
    const steps = new Map<string, Step<KeyShare>>([
      ['phone', theOne(honest.get('phone'))()],
      ['usb', theOne(honest.get('usb'))()],
      // What the liar is towards the phone and towards the USB stick.
      ['server to phone', faces('phone')],
      ['server to usb', faces('usb')],
    ]);
    const errors = new Map<string, KeepsetError>();
    let mail: (readonly [string, ProtocolMessage])[] = [];
    const post = (name: string, outgoing: readonly ProtocolMessage[]): void => {
      for (const message of outgoing) {
        if (message.to === 'server') mail.push(['server to phone', message], ['server to usb', message]);
        else if (!name.startsWith('server') || name === `server to ${message.to}`)
          mail.push([message.to, message]);
      }
    };
    for (const [name, step] of steps) post(name, step.outgoing);
    while (mail.length > 0) {
      const batch = mail;
      mail = [];
      for (const [name, message] of batch) {
        const step = theOne(steps.get(name));
        if (step.status === 'done' || errors.has(name)) continue;
        try {
          const next = step.advance([message]);
          steps.set(name, next);
          post(name, next.outgoing);
        } catch (error) {
          errors.set(name, error as KeepsetError);
        }
      }
    }
    return new Map(
      ['phone', 'usb'].map((name) => {
        const step = theOne(steps.get(name));
        return [name, errors.get(name) ?? (step.status === 'done' ? step.result : 'waiting')];
      }),
    );
  };

  const serverWith = (rng: (length: number) => Uint8Array) => (): Step<KeyShare> => {
    const session = sha256('session two-faced');
    const parties = ['phone', 'server', 'usb'];
    const policy = `thresh(2,${parties.join(',')})`;
    return protocolFor(scheme).startKeygen({
      scheme,
      session,
      policy,
      parties,
      threshold: 2,
      me: 'server',
      rng,
    });
  };

  it('gives honest parties one key, or none, when someone shows them different polynomials', () => {
    const outcome = twoFaced((victim) => serverWith(seededRng(`face ${victim}`))());
    for (const end of outcome.values())
      expect(end).toMatchObject({ code: 'abort/transcript-mismatch', culprits: [] });
  });

  it('the same when only the parts of the chain code differ', () => {
    // The machine draws its part of the session id, then its part of the chain code, then the polynomial.
    const rngFor = (victim: PartyId): ((length: number) => Uint8Array) => {
      const [common, own] = [seededRng('common'), seededRng(`chain part for ${victim}`)];
      let draws = 0;
      return (length) => {
        draws += 1;
        const drawn = common(length);
        return draws === 2 ? own(length) : drawn;
      };
    };
    const outcome = twoFaced((victim) => serverWith(rngFor(victim))());
    for (const end of outcome.values())
      expect(end).toMatchObject({ code: 'abort/transcript-mismatch', culprits: [] });
  });

  it('makes a key when the two faces are one', () => {
    const outcome = twoFaced(() => serverWith(seededRng('one face'))());
    const shares = [...outcome].map(([party, end]) => [party, end as KeyShare] as const);
    expect(groupOf(new Map(shares)).parties).toEqual(['phone', 'server', 'usb']);
  });

  it('is caught when the part of the chain code that is opened is not the one committed to', () => {
    const rehearsal = rehearse(keygenStarts(scheme, 2, ['phone', 'server', 'usb'], 'opening'));
    const chainPart = sha256('chosen after seeing the others');
    const context = theOne(rehearsal.inbox('phone', 1)[0]).context;
    const label = 'keepset/keygen/chain-part/v1';
    const open = forged(rehearsal, 'phone', 2, { server: { chainPart } });
    expect(endOf(rehearsal, 'phone', 2, open)).toMatchObject({
      code: 'abort/bad-commitment',
      culprits: ['server'],
    });
    // A commitment is bound to its party and session: another's can be neither copied nor replayed.
    for (const value of [
      { context, party: 'usb', chainPart },
      { context: new Uint8Array(32), party: 'server', chainPart },
    ]) {
      const first = forged(rehearsal, 'phone', 1, { server: { chainCommitment: hashValue(label, value) } });
      const step = rehearsal.at('phone', 1).advance(first);
      if (step.status === 'done') throw new Error('too early');
      expect(() => step.advance(open)).toThrow(/opened another chain-code part/);
    }
  });
});
