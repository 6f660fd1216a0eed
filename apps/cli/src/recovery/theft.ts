/** What a theft needs before anything else. */
import { parsePolicy, smallestAdditions } from '@keepset/access';
import { runFreeze, type KeyShare } from '@keepset/ceremony';
import type { OpenDevice } from '../home/device.ts';
import type { Terminal } from '../terminal/terminal.ts';

export const freezingStep = 'freeze the key: the server refuses every use of it until there are new shares';

/** Stops the key before the share is put back. Freezing a frozen key changes nothing. */
export const freezeFirst = async (
  { device }: OpenDevice,
  terminal: Terminal,
  keyId: string,
): Promise<void> => {
  await runFreeze(device, keyId);
  terminal.note(`Frozen: the server refuses every use of key ${keyId}, and has logged that.`);
};

/**
 * When new shares do not help: a thief who had a quorum's shares of one epoch has the key, whatever is done with the
 * shares afterwards.
 */
export const theftLines = ({ group, party }: Pick<KeyShare, 'group' | 'party'>): readonly string[] => {
  const policy = parsePolicy(group.policy, { allowRepeats: true });
  const fatal = smallestAdditions(policy, [party], 8).map((others) => others.join(' and '));
  return [
    `note: new shares make ${party}’s stolen one worthless. They do not help where the thief also had the share of`,
    `  ${fatal.join(', or of ')}: then the key is theirs. Make a new one, and move what this one controls.`,
  ];
};
