import { KeepsetError } from '@keepset/bytes';
import { protocolFor, type KeyShare, type Step } from '@keepset/threshold';
import type { Confirmation, KeygenStart } from '@keepset/wire';
import { asked, planKeygen } from '../plan.ts';
import { commitChange } from './commit.ts';
import type { StepContext } from './handler.ts';
import type { Commit, Opened } from './open.ts';
import { openWitnessed } from './witness.ts';

/** Opens a key generation. Party 1 plans from the policy itself, not from what the device says follows from it. */
export const openKeygen = (
  context: StepContext,
  start: KeygenStart,
): Opened<KeyShare> | Opened<Confirmation> => {
  const { party1, request } = context;
  const plan = planKeygen(start.policy, party1.party, asked);
  if (plan.policy !== start.policy)
    throw new KeepsetError('policy/unsupported', `Send the policy in canonical form: ${plan.policy}.`);
  if (!party1.schemes.includes(start.scheme))
    throw new KeepsetError('input/unsupported', `This server makes no ${start.scheme} keys.`);
  if (plan.isWitnessed)
    return openWitnessed(context, {
      kind: 'keygen',
      devices: plan.parties,
      expected: { scheme: start.scheme, policy: plan.policy, epoch: 0 },
      change: (key) => ({ kind: 'create', key }),
    });
  const machine = protocolFor(start.scheme).startKeygen({
    ...plan,
    scheme: start.scheme,
    session: request.session,
    me: party1.party,
    ...(party1.rng === undefined ? {} : { rng: party1.rng }),
  });
  return {
    machine,
    devices: plan.parties.filter((party) => party !== party1.party),
    conclude: (state: Step<KeyShare>) => (state.status === 'done' ? commitKeygen(state.result) : undefined),
    abandon: () => undefined,
  };
};

/** Makes key, log entry and answer durable in one transaction: the moment at which the key comes to be. */
const commitKeygen =
  (share: KeyShare): Commit =>
  async (context, answer) => {
    const { party1, caller } = context;
    const { keyId, epoch } = share.group;
    const key = { group: share.group, sealedShare: await party1.sealer.seal(caller.tenant, share) };
    return commitChange(context, { kind: 'keygen', keyId, epoch }, { kind: 'create', key }, answer);
  };
