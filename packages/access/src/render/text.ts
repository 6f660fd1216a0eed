/** Plain text for terminals: nothing wider than 80 columns, no colours, no characters from elsewhere. */

export const lineWidth: number = 80;

/** A table whose cells wrap; columns share the width by what they need. */
export interface TextTable {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const gap = 2;

/** Lines of at most `width` columns. With more columns than fit, cells break inside words. */
export const tableLines = ({ head, rows }: TextTable, width: number = lineWidth): readonly string[] => {
  const widths = fit(
    head.map((title, at) => Math.max(lengthOf(title), ...rows.map((row) => lengthOf(row[at] ?? '')))),
    width - gap * (head.length - 1),
  );
  const rule = widths.map((columns) => '-'.repeat(columns)).join(' '.repeat(gap));
  return [...rowLines(head, widths), rule, ...rows.flatMap((row) => rowLines(row, widths))];
};

/** Takes columns off the widest until the sum fits; every column keeps one. */
const fit = (wanted: readonly number[], width: number): readonly number[] => {
  const widths = wanted.map((columns) => Math.max(1, columns));
  let total = widths.reduce((sum, columns) => sum + columns, 0);
  while (total > width) {
    const widest = widths.indexOf(Math.max(...widths));
    if ((widths[widest] ?? 1) <= 1) break;
    widths[widest] = (widths[widest] ?? 1) - 1;
    total -= 1;
  }
  return widths;
};

const rowLines = (row: readonly string[], widths: readonly number[]): readonly string[] => {
  const cells = widths.map((columns, at) => wrap(row[at] ?? '', columns));
  const height = Math.max(1, ...cells.map((lines) => lines.length));
  return Array.from({ length: height }, (_, line) =>
    widths
      .map((columns, at) => padded(cells[at]?.[line] ?? '', columns))
      .join(' '.repeat(gap))
      .trimEnd(),
  );
};

/** Breaks at spaces and after commas, and inside words only where there is no other way. */
export const wrap = (text: string, width: number = lineWidth): readonly string[] => {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/(?<=[ ,])/)) {
    let rest = word;
    if (lengthOf(line + rest.trimEnd()) > width && line !== '') {
      lines.push(line.trimEnd());
      line = '';
    }
    while (lengthOf(rest.trimEnd()) > width) {
      lines.push(Array.from(rest).slice(0, width).join(''));
      rest = Array.from(rest).slice(width).join('');
    }
    line += rest;
  }
  return line.trimEnd() === '' && lines.length > 0 ? lines : [...lines, line.trimEnd()];
};

/** Wrapped, with every line indented. */
export const indented = (text: string, by: number = 2, width: number = lineWidth): readonly string[] =>
  wrap(text, width - by).map((line) => `${' '.repeat(by)}${line}`);

/** A bullet whose further lines hang. */
export const bullet = (text: string, width: number = lineWidth): readonly string[] =>
  wrap(text, width - 4).map((line, at) => `${at === 0 ? '  - ' : '    '}${line}`);

const lengthOf = (text: string): number => Array.from(text).length;
const padded = (text: string, width: number): string =>
  text + ' '.repeat(Math.max(0, width - lengthOf(text)));

/** `7.25e-3`, as the fixtures print probabilities. */
export const scientific = (value: number): string => {
  if (value === 0 || value === 1) return String(value);
  return value.toExponential(2);
};

/** `7.25e-3 (1 in 138)`. */
export const oddsOf = (value: number): string =>
  value > 0 && value < 0.5 ? `${scientific(value)} (1 in ${readable(1 / value)})` : scientific(value);

const readable = (value: number): string => {
  if (value >= 1e9) return value.toExponential(1);
  const rounded = value >= 1000 ? Number(value.toPrecision(2)) : Math.round(value);
  return String(rounded).replace(/\B(?=(\d{3})+$)/g, ',');
};

/** `a`, `a and b`, `a, b and c`. */
export const listed = (names: readonly string[], word: string = 'and'): string => {
  const last = names.at(-1) ?? '';
  return names.length < 2 ? last : `${names.slice(0, -1).join(', ')} ${word} ${last}`;
};

/** `1 party`, `2 parties`. */
export const counted = (count: number, one: string, many: string): string =>
  `${Number.isFinite(count) ? count : 'any number of'} ${count === 1 ? one : many}`;

/** `The house burns down.` from a clause. */
export const sentence = (clause: string): string => `${clause.slice(0, 1).toUpperCase()}${clause.slice(1)}.`;
