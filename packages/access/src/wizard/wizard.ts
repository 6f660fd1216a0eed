import { invariant } from '@keepset/bytes';
import { analyse, type Analysis } from '../analysis/analyse.ts';
import { faultModelOf } from '../analysis/faults.ts';
import { serverRulesBuilt, serverRulesToCome, type ServerRule } from '../setup/places.ts';
import type { RiskEvent, Setup } from '../setup/setup.ts';
import { allAnswers, parseAnswers, printAnswers, type Answers } from './answers.ts';
import { candidatesOf, type Candidate } from './candidates.ts';
import { countFatal, floors, missingTo, type Floor } from './floor.ts';

/** What the wizard proposes. */
export interface Proposal {
  readonly answers: string;
  readonly floor: Floor;
  /** Whether the floor is met; if not, the setup is the best of those searched. */
  readonly reached: boolean;
  /** What is missing to the floor, one sentence each. */
  readonly missing: readonly string[];
  /** Where the floor is not met: answers that list other sticks or devices, with which it would be. */
  readonly wouldReach: readonly string[];
  readonly setup: Setup;
  readonly analysis: Analysis;
  /** What the user has to do, one sentence each. */
  readonly needs: readonly string[];
}

/** What the wizard takes into account beyond the answers. */
export interface ProposeOptions {
  /**
   * Events of one's own beside the library's, over the domains and kinds that the places use. One with the id of
   * another takes its place.
   */
  readonly events?: readonly RiskEvent[];
}

/** The search ends here: more shares are much to look after, and each size takes several times as long. */
const mostShares = 4;

/**
 * The smallest policy that meets the floor of the first answer with what the other two list; phone, paper and
 * an Apple account are always there. Only if there is none, servers with rules that are not built count. Among equals: fewest ways in which an event or domain alone decides, no
 * idle stick, fewest pages, fewest places beside the home, least to do, least risk. Where no candidate meets the
 * floor, the one with least missing.
 * @throws KeepsetError `input/invalid-argument` for anything but three letters from A to C.
 * @spec spec/policy.md §7
 */
export const propose = (text: string, { events = [] }: ProposeOptions = {}): Proposal => {
  const answers = parseAnswers(text);
  const floor = floors[answers.criticality];
  const best = search(answers, floor, events);
  const reached = best.missing.length === 0;
  return {
    answers: printAnswers(answers),
    floor,
    reached,
    missing: best.missing,
    wouldReach: reached ? [] : othersThatReach(answers, floor, events),
    setup: best.setup,
    analysis: analyse(best.setup),
    needs: best.needs,
  };
};

/** The smallest candidate that meets the floor, or the one with least missing. */
const search = (answers: Answers, floor: Floor, events: readonly RiskEvent[]): Rated => {
  let best: Rated | undefined;
  for (const rules of answers.devices === 'C' ? [serverRulesBuilt, serverRulesToCome] : [serverRulesBuilt])
    for (let size = 2; size <= mostShares && best?.missing.length !== 0; size += 1)
      best = bestOf(answers, floor, size, events, rules, best);
  invariant(best !== undefined, 'Every answer has a candidate.');
  return best;
};

const othersThatReach = (answers: Answers, floor: Floor, events: readonly RiskEvent[]): readonly string[] =>
  allAnswers
    .filter(({ criticality }) => criticality === answers.criticality)
    .filter((other) => printAnswers(other) !== printAnswers(answers))
    .filter((other) => search(other, floor, events).missing.length === 0)
    .map(printAnswers);

interface Rated extends Candidate {
  readonly missing: readonly string[];
  /** Compared in turn, smaller first. */
  readonly score: readonly number[];
}

const bestOf = (
  answers: Answers,
  floor: Floor,
  size: number,
  events: readonly RiskEvent[],
  rules: readonly ServerRule[],
  before: Rated | undefined,
): Rated | undefined => {
  let best = before;
  const ties: Rated[] = [];
  for (const candidate of candidatesOf(answers, floor, size, rules)) {
    const usual = candidate.setup.events.filter(({ id }) => !events.some((own) => own.id === id));
    const setup = { ...candidate.setup, events: [...usual, ...events] };
    const model = faultModelOf(setup);
    const missing = missingTo(floor, setup, model);
    if (best !== undefined && missing.length > best.missing.length) continue;
    const { idleSticks, pages, furtherPlaces, needs } = candidate;
    const score = [missing.length, countFatal(setup, model), idleSticks, pages, furtherPlaces, needs.length];
    const rated = { ...candidate, setup, missing, score };
    const order = best === undefined ? -1 : compare(score, best.score);
    if (order < 0) {
      best = rated;
      ties.length = 0;
    }
    if (order === 0) ties.push(rated);
  }
  return ties.reduce(
    (least, one) => (least === undefined || riskOf(one) < riskOf(least) ? one : least),
    best,
  );
};

const compare = (a: readonly number[], b: readonly number[]): number => {
  const at = a.findIndex((value, n) => value !== b[n]);
  return (a[at] ?? 0) - (b[at] ?? 0);
};

const riskOf = ({ setup }: Candidate): number => {
  const { loss, theft } = analyse(setup);
  return (loss.probability?.likely ?? 0) + (theft.probability?.likely ?? 0);
};
