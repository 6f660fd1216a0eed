import { KeepsetError } from '@keepset/bytes';
import { asFlatThreshold, parsePolicy, printPolicy } from '@keepset/access';

/** What a policy means for a key generation; both sides derive it alone and must agree. */
export interface KeygenPlan {
  /** Canonical policy text. */
  readonly policy: string;
  readonly parties: readonly string[];
  readonly threshold: number;
}

/**
 * Reads a policy and plans the key generation between `server` and devices.
 * @throws KeepsetError `policy/syntax`, or `policy/unsupported` with what is not possible yet.
 */
export const planKeygen = (policyText: string, server: string): KeygenPlan => {
  const policy = parsePolicy(policyText);
  const text = printPolicy(policy);
  const flat = asFlatThreshold(policy);
  if (flat === undefined)
    throw new KeepsetError('policy/unsupported', `Keys under ${text} cannot be made yet.`, {
      hint: 'Use one threshold of at least 2 over plain parties, such as and(server,phone) or thresh(2,server,phone).',
    });
  const { parties, threshold } = flat;
  if (!parties.includes(server))
    throw new KeepsetError(
      'policy/unsupported',
      `The policy ${text} does not name ${server}, the server's own party.`,
      {
        hint: `Name ${server} in the policy: keys without the server cannot be made over it.`,
      },
    );
  return { policy: text, parties, threshold };
};
