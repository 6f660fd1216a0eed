import { countOccurrences, type Formula, type Threshold } from './formula.ts';

/** Starts tried for one gate. */
const starts = 8;

/**
 * The parts in an order that keeps few happenings open at once: greedily, from several starts, the part that
 * opens fewest for what it closes. `cost` is the sum of the table sizes, in rows.
 * @param occurrences how often each happening stands in the whole formula.
 */
export const orderParts = (
  parts: readonly Formula[],
  occurrences: ReadonlyMap<number, number>,
): { readonly order: readonly (number | Threshold)[]; readonly cost: number } => {
  const items = parts.flatMap((part) => {
    if (typeof part === 'boolean') return [];
    const shared = [...countOccurrences(part)].filter(([happening]) => (occurrences.get(happening) ?? 0) > 1);
    return [{ part, shared }];
  });
  const alone = items.filter(({ shared }) => shared.length === 0);
  const crossed = items.filter(({ shared }) => shared.length > 0);
  let best: { order: readonly Item[]; cost: number } = { order: crossed, cost: Infinity };
  const step = Math.max(1, Math.floor(crossed.length / starts));
  for (let at = 0; at < crossed.length; at += step) {
    const start = crossed[at];
    if (start !== undefined) best = greedy(crossed, start, occurrences, best.cost) ?? best;
  }
  const cost = crossed.length === 0 ? 0 : best.cost;
  return { order: [...alone, ...best.order].map(({ part }) => part), cost: cost + alone.length };
};

interface Item {
  readonly part: number | Threshold;
  /** Happenings that stand several times in the formula, with how often they stand in this part. */
  readonly shared: readonly (readonly [happening: number, times: number])[];
}

/** `undefined` once the cost, the sum of table sizes, reaches `limit`. */
const greedy = (
  items: readonly Item[],
  start: Item,
  occurrences: ReadonlyMap<number, number>,
  limit: number,
): { order: readonly Item[]; cost: number } | undefined => {
  const left = new Map<number, number>();
  for (const { shared } of items)
    for (const [happening] of shared) left.set(happening, occurrences.get(happening) ?? 0);
  const open = new Set<number>();
  const waiting = new Set(items);
  const order: Item[] = [];
  let cost = 0;
  let next: Item | undefined = start;
  while (next !== undefined) {
    for (const [happening, times] of next.shared) {
      open.add(happening);
      left.set(happening, (left.get(happening) ?? 0) - times);
    }
    cost += 2 ** open.size;
    if (cost >= limit) return undefined;
    for (const [happening] of next.shared) if (left.get(happening) === 0) open.delete(happening);
    order.push(next);
    waiting.delete(next);
    next = cheapest(waiting, open, left);
  }
  return { order, cost };
};

/** The part after which fewest happenings are open; among equals the one that opens fewest on the way. */
const cheapest = (
  waiting: ReadonlySet<Item>,
  open: ReadonlySet<number>,
  left: ReadonlyMap<number, number>,
): Item | undefined => {
  let best: Item | undefined;
  let bestScore = Infinity;
  for (const item of waiting) {
    let opened = 0;
    let closed = 0;
    for (const [happening, times] of item.shared) {
      if (!open.has(happening)) opened += 1;
      if (left.get(happening) === times) closed += 1;
    }
    const score = opened - closed + opened / 1024;
    if (score < bestScore) [best, bestScore] = [item, score];
  }
  return best;
};
