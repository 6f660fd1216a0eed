/** Which moments of a command somebody dies at: all, or a few that differ from commit to commit. */
import { chosen } from './seed.ts';

/** Whether no moment is left out: KEEPSET_EVERY_MOMENT=1. */
export const isEvery: boolean = process.env['KEEPSET_EVERY_MOMENT'] === '1';

/** One of several, by the seed. */
const oneOf = (places: readonly number[], why: string): readonly number[] => {
  const place = places[chosen(why) % Math.max(1, places.length)];
  return place === undefined ? [] : [place];
};

/**
 * Moments at which to die, counted from 1: all of them, or the last one, some at which the other side has acted and this
 * one does not know it yet, and some of the others.
 * @param passed moments at the beginning that are not meant
 * @param few where each run takes its time
 */
export const placesIn = (
  what: string,
  moments: readonly string[],
  { passed = 0, few = false } = {},
): readonly number[] => {
  const all = moments.map((_, i) => i + 1).slice(passed);
  if (isEvery) return all;
  const answers = all.filter((at) => /^(request.emit|response.end)$/.test(moments[at - 1] ?? ''));
  const half = (places: readonly number[], which: 0 | 1): readonly number[] =>
    oneOf(places.slice(...(which === 0 ? [0, places.length / 2] : [places.length / 2])), `${what} ${which}`);
  const places = few
    ? [oneOf(answers, what), oneOf(all, what), all.slice(-1)]
    : [half(answers, 0), half(answers, 1), half(all, 0), half(all, 1), all.slice(-1)];
  return [...new Set(places.flat())].toSorted((a, b) => a - b);
};
