import { printPolicy } from '../policy.ts';
import type { CopyInput, ProbabilityInput, SetupInput } from './parse-setup.ts';
import type { Copy, Range, Setup } from './setup.ts';

/** The setup as a user writes it: `parseSetup(printSetup(s))` is `s`. */
export const printSetup = (setup: Setup): SetupInput => ({
  policy: printPolicy(setup.policy),
  shares: printCopies(setup.shares),
  secrets: printCopies(setup.secrets),
  events: setup.events.map(({ id, title, probability, loses, exposes, each }) => ({
    id,
    title,
    ...(probability === undefined ? {} : { probability: printRange(probability) }),
    loses: [...loses],
    exposes: [...exposes],
    ...(each === undefined ? {} : { each }),
  })),
});

const printCopies = (kept: Setup['shares']): Record<string, CopyInput[]> =>
  Object.fromEntries([...kept].map(([name, copies]) => [name, copies.map(printCopy)]));

const printCopy = ({ unlock, usableFrom, loss, theft, ...rest }: Copy): CopyInput => ({
  ...rest,
  ...(unlock === undefined ? {} : { unlock: printPolicy(unlock) }),
  ...(usableFrom === undefined
    ? {}
    : {
        usableFrom: usableFrom.map((way) => ({
          from: way.from,
          ...(way.unlock === undefined ? {} : { unlock: printPolicy(way.unlock) }),
        })),
      }),
  ...(loss === undefined ? {} : { loss: printRange(loss) }),
  ...(theft === undefined ? {} : { theft: printRange(theft) }),
});

const printRange = ({ low, likely, high }: Range): ProbabilityInput => [low, likely, high];
