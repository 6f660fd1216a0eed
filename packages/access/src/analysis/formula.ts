/** A monotone formula over happenings: constants, a happening by its index, or a threshold of parts. */
export type Formula = boolean | number | Threshold;

/** True when at least `need` of the parts are; 1 ≤ need ≤ parts.length, at least two parts. */
export interface Threshold {
  readonly need: number;
  readonly parts: readonly Formula[];
}

/** Builds a threshold, with constants folded, nested any/all flattened and repeated happenings merged. */
export const atLeastOf = (need: number, parts: readonly Formula[]): Formula => {
  const open = parts.filter((part) => typeof part !== 'boolean');
  const rest = need - parts.filter((part) => part === true).length;
  if (rest <= 0) return true;
  if (rest > open.length) return false;
  if (rest > 1 && rest < open.length) return { need: rest, parts: open };
  const isAny = rest === 1;
  const flat = open.flatMap((part) =>
    typeof part === 'object' && part.need === (isAny ? 1 : part.parts.length) ? part.parts : [part],
  );
  const distinct = [...new Set(flat)];
  const [only] = distinct;
  if (distinct.length === 1 && only !== undefined) return only;
  return { need: isAny ? 1 : distinct.length, parts: distinct };
};

export const anyOf = (parts: readonly Formula[]): Formula => atLeastOf(1, parts);
export const allOf = (parts: readonly Formula[]): Formula => atLeastOf(parts.length, parts);

/** Works something out for a formula from its parts, once for each part however often it is shared. */
export const fold = <T>(
  formula: Formula,
  leaf: (part: boolean | number) => T,
  gate: (part: Threshold, of: (inner: Formula) => T) => T,
): T => {
  const done = new Map<Threshold, T>();
  const visit = (part: Formula): T => {
    if (typeof part !== 'object') return leaf(part);
    const known = done.get(part);
    if (known !== undefined) return known;
    const value = gate(part, visit);
    done.set(part, value);
    return value;
  };
  return visit(formula);
};

/** Whether the formula holds when exactly these happenings have happened. */
export const holds = (formula: Formula, happened: ReadonlySet<number>): boolean =>
  fold<boolean>(
    formula,
    (part) => (typeof part === 'boolean' ? part : happened.has(part)),
    ({ need, parts }, of) => {
      let missing = need;
      for (const part of parts) {
        if (of(part)) missing -= 1;
        if (missing === 0) return true;
      }
      return false;
    },
  );

/** The formula with some happenings decided; `undefined` leaves one open. */
export const decide = (formula: Formula, value: (happening: number) => boolean | undefined): Formula =>
  fold<Formula>(
    formula,
    (part) => (typeof part === 'boolean' ? part : (value(part) ?? part)),
    ({ need, parts }, of) => atLeastOf(need, parts.map(of)),
  );

/** How often each happening stands in the formula, written out as a tree. */
export const countOccurrences = (formula: Formula): ReadonlyMap<number, number> =>
  fold<ReadonlyMap<number, number>>(
    formula,
    (part) => new Map(typeof part === 'number' ? [[part, 1]] : []),
    ({ parts }, of) => {
      const sum = new Map<number, number>();
      for (const part of parts)
        for (const [happening, times] of of(part)) sum.set(happening, (sum.get(happening) ?? 0) + times);
      return sum;
    },
  );
