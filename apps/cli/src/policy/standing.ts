/** What a key's policy stands, said with every key and not only on request. */
import { analyse, bareSetup, minimumLines, parsePolicy, type Analysis } from '@keepset/access';
import { KeepsetError } from '@keepset/bytes';
import type { OptionSpec, OptionValues } from '../command.ts';

/** The options of commands that put a key under a policy. */
export const vaultOptions: Readonly<Record<string, OptionSpec>> = {
  vault: { type: 'boolean', help: 'A key that holds much: refuse a policy below the credible minimum' },
  force: { type: 'boolean', help: 'With --vault: do it all the same' },
};

/** @throws KeepsetError `policy/forbidden` for a vault key's policy below the credible minimum, or `policy/syntax` */
export const refuseBelowMinimum = (policy: string, options: OptionValues): void => {
  if (options['vault'] !== true || options['force'] === true) return;
  const analysis = analysisOf(policy);
  if (analysis.credibleMinimum.met) return;
  throw new KeepsetError('policy/forbidden', `${policy} is below the credible minimum for a vault key.`, {
    hint: [...minimumLines(analysis), 'See `keepset policy suggest`, or add --force.'].join('\n'),
  });
};

/** For programs. */
export interface Standing {
  readonly lossTolerance: number;
  readonly theftTolerance: number;
  readonly credibleMinimum: boolean;
}

/** Both tolerances of a key's policy, and whether it has the credible minimum: as data, and as lines under a key. */
export const standingOf = (
  policy: string,
): { readonly data: Standing; readonly lines: readonly string[] } => {
  const analysis = analysisOf(policy);
  const { lossTolerance, theftTolerance, credibleMinimum } = analysis;
  const { singlePointsOfFailure, singlePointsOfCompromise } = analysis;
  return {
    data: { lossTolerance, theftTolerance, credibleMinimum: credibleMinimum.met },
    lines: [
      `  survives    ${counted(lossTolerance, 'loss', 'losses')}, ${counted(theftTolerance, 'theft', 'thefts')}`,
      ...(credibleMinimum.met ? [] : ['  minimum     below the credible minimum:']),
      ...(singlePointsOfFailure.length === 0
        ? []
        : [`              nobody can sign without ${some(singlePointsOfFailure)}`]),
      ...(singlePointsOfCompromise.length === 0
        ? []
        : [`              ${some(singlePointsOfCompromise)} can sign alone`]),
    ],
  };
};

/** Whether a party may stand twice is for whoever makes the key to say. */
const analysisOf = (policy: string): Analysis =>
  analyse(bareSetup(parsePolicy(policy, { allowRepeats: true })));

const counted = (count: number, one: string, many: string): string =>
  count === 0 ? `no ${one}` : `${count} ${count === 1 ? one : many}`;

const named = 2;

const some = (parties: readonly string[]): string =>
  parties.length <= named
    ? parties.join(' or ')
    : `${parties.slice(0, named).join(', ')} or ${parties.length - named} more`;
