import { analyse, type Analysis } from '../analysis/analyse.ts';
import type { Setup } from '../setup/setup.ts';
import { changesOf } from './changes.ts';

/** One change and what it does. Loss and theft always stand side by side: most changes trade one for the other. */
export interface Suggestion {
  /** What to do, one sentence. */
  readonly title: string;
  readonly setup: Setup;
  readonly before: Standing;
  readonly after: Standing;
  /** Likely probability of loss plus weighted that of theft that goes; 0 where there are no probabilities. */
  readonly removed: number;
}

/** The figures a change is judged by. */
export interface Standing {
  readonly lossTolerance: number;
  readonly theftTolerance: number;
  /** Likely probabilities; `undefined` where there are none. */
  readonly loss: number | undefined;
  readonly theft: number | undefined;
  /** Ways in which a single listed event locks out or steals. */
  readonly fatalEvents: number;
  readonly credibleMinimum: boolean;
}

/** What may be suggested. */
export interface SuggestOptions {
  /** At most so many; default 5. */
  readonly limit?: number;
  /** How many losses a theft is as bad as; default 1. */
  readonly theftWeight?: number;
}

/**
 * Changes of one thing that lower the sum of the likely losses and thefts, or without probabilities the number
 * of events that alone decide, best first. None takes away the last tolerance of loss or theft there is.
 * @throws KeepsetError as {@link analyse}.
 */
export const suggest = (
  setup: Setup,
  { limit = 5, theftWeight = 1 }: SuggestOptions = {},
): readonly Suggestion[] => {
  const before = standingOf(analyse(setup));
  return changesOf(setup)
    .map(({ title, changed }): Suggestion => {
      const after = standingOf(analyse(changed));
      return {
        title,
        setup: changed,
        before,
        after,
        removed: riskOf(before, theftWeight) - riskOf(after, theftWeight),
      };
    })
    .filter(isBetter)
    .toSorted((a, b) => b.removed - a.removed || a.after.fatalEvents - b.after.fatalEvents)
    .slice(0, limit);
};

const standingOf = ({
  lossTolerance,
  theftTolerance,
  loss,
  theft,
  events,
  credibleMinimum,
}: Analysis): Standing => ({
  lossTolerance,
  theftTolerance,
  loss: loss.probability?.likely,
  theft: theft.probability?.likely,
  fatalEvents: events.flatMap(({ key }) => [key.lost, key.leaked]).filter(Boolean).length,
  credibleMinimum: credibleMinimum.met,
});

const riskOf = ({ loss = 0, theft = 0 }: Standing, weight: number): number => loss + weight * theft;

/** Without probabilities, what counts is which events decide, then what tolerance is gained without losing any. */
const isBetter = ({ before, after, removed }: Suggestion): boolean => {
  if (after.lossTolerance < Math.min(before.lossTolerance, 1)) return false;
  if (after.theftTolerance < Math.min(before.theftTolerance, 1)) return false;
  // What a change leaves without a figure, because it is out of reach, cannot be said to be better.
  if (before.loss !== undefined && after.loss === undefined) return false;
  if (before.theft !== undefined && after.theft === undefined) return false;
  if (before.loss !== undefined || before.theft !== undefined) return removed > 0;
  if (after.fatalEvents !== before.fatalEvents) return after.fatalEvents < before.fatalEvents;
  const gains = [after.lossTolerance - before.lossTolerance, after.theftTolerance - before.theftTolerance];
  return gains.every((gain) => gain >= 0) && gains.some((gain) => gain > 0);
};
