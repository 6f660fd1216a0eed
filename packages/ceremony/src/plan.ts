import { KeepsetError } from '@keepset/bytes';
import { asFlatThreshold, parsePolicy, printPolicy } from '@keepset/access';

/** What a policy means for a key generation; both sides derive it alone and must agree. */
export interface KeygenPlan {
  /** Canonical policy text. */
  readonly policy: string;
  readonly parties: readonly string[];
  readonly threshold: number;
  /** True where the server is no party: it holds no share, and witnesses what the devices do. */
  readonly isWitnessed: boolean;
}

/**
 * Reads a policy and plans the key generation between devices, and `server` if the policy names it.
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
  return { policy: text, parties, threshold, isWitnessed: !parties.includes(server) };
};
