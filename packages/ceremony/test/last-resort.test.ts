/** Which copies make a key together, and which do not go with them. */
import { expect, it } from 'vitest';
import { Secret } from '@keepset/bytes';
import { chooseQuorum, type GroupKey, type ShareCopy } from '../src/index.ts';

interface Named extends ShareCopy {
  readonly name: string;
}

/** A copy as far as the choice looks at it. */
const copy = (party: string, epoch: number, about: Partial<GroupKey> = {}): Named => {
  const group: GroupKey = {
    scheme: 'ed25519',
    keyId: 'k'.repeat(26),
    epoch,
    policy: 'thresh(2,server,phone,laptop)',
    parties: ['server', 'phone', 'laptop'],
    threshold: 2,
    publicKey: new Uint8Array(32),
    commitments: [new Uint8Array(32).fill(epoch)],
    verifyingShares: [],
    chainCode: new Uint8Array(32),
    ...about,
  };
  return { name: `${party}${epoch}`, share: { group, party, secret: new Secret(new Uint8Array(32)) } };
};
const other = { keyId: 'x'.repeat(26) };
const wrong = { commitments: [new Uint8Array(32).fill(99)] };

const chosen = (copies: readonly Named[]): readonly string[] =>
  chooseQuorum(copies).copies.map(({ name }) => name);
const left = (copies: readonly Named[]): readonly string[] =>
  chooseQuorum(copies).leftOut.map(({ copy: { name }, reason }) => `${name}: ${reason}`);
const refusal = (copies: readonly Named[]): unknown => {
  try {
    return chooseQuorum(copies);
  } catch (error) {
    return error;
  }
};

it('takes the newest epoch that is complete, and says why it leaves out the others', () => {
  const mixed = [copy('phone', 3), copy('laptop', 2), copy('phone', 2), copy('phone', 1), copy('laptop', 1)];
  expect(chosen(mixed)).toEqual(['phone2', 'laptop2']);
  expect(left(mixed)).toEqual([
    'phone3: it is of epoch 3, of which there is no quorum here',
    'phone1: it is of epoch 1, which is older',
    'laptop1: it is of epoch 1, which is older',
  ]);
  const foreign = [copy('laptop', 5, other), copy('phone', 2), copy('server', 2), copy('laptop', 2)];
  expect(chosen(foreign)).toEqual(['phone2', 'laptop2']);
  expect(left(foreign)).toEqual([
    `laptop5: it is of another key, ${other.keyId}`,
    'server2: it is not needed beside phone and laptop',
  ]);
  const forged = [copy('phone', 2, wrong), copy('phone', 2), copy('laptop', 2)];
  expect(chooseQuorum(forged).copies).toEqual(forged.slice(1));
  expect(left(forged)).toEqual(['phone2: its public data are not those of the others']);
});

it('refuses with the reason where no quorum fits, or more than one does', () => {
  const apart = [copy('phone', 3), copy('laptop', 2)];
  expect(refusal(apart)).toMatchObject({
    code: 'place/stale',
    message:
      'phone is not enough for thresh(2,server,phone,laptop) at epoch 3. The copy of laptop is of epoch 2 and does not mix with it.',
    hint: 'Give a copy of epoch 3 of the share of server; or laptop.',
  });
  expect(refusal([copy('phone', 3), copy('phone', 2)])).toMatchObject({ code: 'policy/unsatisfied' });
  expect(refusal([copy('phone', 2), copy('laptop', 2, wrong)])).toMatchObject({ code: 'place/stale' });
  expect(refusal([copy('phone', 2), copy('laptop', 2, other)])).toMatchObject({
    code: 'input/invalid-argument',
  });
  const twoKeys = ['phone', 'laptop'].flatMap((party) => [copy(party, 1), copy(party, 2, other)]);
  expect(refusal(twoKeys)).toMatchObject({ code: 'input/invalid-argument' });
  const twoTruths = ['phone', 'laptop'].flatMap((party) => [copy(party, 2), copy(party, 2, wrong)]);
  expect(refusal(twoTruths)).toMatchObject({ code: 'place/damaged' });
  expect(refusal([])).toMatchObject({ code: 'policy/unsatisfied' });
});
