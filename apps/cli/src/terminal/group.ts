import type { CoSigners, GroupPrompts } from '@keepset/ceremony';
import { KeepsetError } from '@keepset/bytes';
import type { Terminal } from './terminal.ts';

/** Shows join codes and check digits; with somebody there, asks whether the digits are equal. */
export const groupPrompts = (terminal: Terminal): GroupPrompts => ({
  announce: ({ codes }) => {
    terminal.note('Waiting for the other devices. Each code is a secret for that device alone:');
    for (const { party, code } of codes) terminal.note(`  on ${party}:  keepset join ${code}`);
  },
  compare: (group) =>
    compareDigits(
      terminal,
      group.digits,
      group.roster.members.map(({ party }) => party),
    ),
});

/** The devices that --with names. */
export const coSignersOf = (text: string | undefined, terminal: Terminal): CoSigners | undefined =>
  text === undefined
    ? undefined
    : { parties: text.split(',').map((party) => party.trim()), prompts: groupPrompts(terminal) };

/** @throws KeepsetError `transport/untrusted-peer` when the person says they differ. */
export const compareDigits = async (
  terminal: Terminal,
  digits: string,
  parties: readonly string[],
): Promise<void> => {
  terminal.note(`Devices: ${parties.join(', ')}`);
  terminal.note(`Compare on all of them:  ${digits}`);
  if (terminal.canAsk && !(await terminal.askYesNo('Are they equal everywhere?')))
    throw new KeepsetError(
      'transport/untrusted-peer',
      'The digits differ: somebody stands between the devices.',
      {
        hint: 'Nothing was made. Start again, and hand over the join codes by another way.',
      },
    );
};
