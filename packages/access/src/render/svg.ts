/**
 * A picture of a policy: its tree, the copies of each share, and beside them one column per minimal quorum and
 * per minimal cut set with a mark at each party that belongs to it.
 */
import type { Analysis } from '../analysis/analyse.ts';
import { printPolicy, thresholdOf, type Gate, type Policy } from '../policy.ts';
import { domainsOf, type Copy, type Setup } from '../setup/setup.ts';

const size = { level: 110, leaf: 410, line: 15, pad: 22, column: 18, head: 46 };
/** Characters of a copy’s line; what is longer still is cut off rather than drawn over the columns. */
const copyLength = 66;
const shownSets = 12;

/** An SVG document as text. Everything from the setup is escaped. */
export const policySvg = (setup: Setup, analysis: Analysis): string => {
  const depth = depthOf(setup.policy);
  const treeWidth = size.pad + depth * size.level;
  const leaves = layLeaves(setup, treeWidth);
  const nodes: string[] = [];
  drawPart(setup.policy, 0, leaves[Symbol.iterator](), nodes, analysis);
  const setsAt = treeWidth + size.leaf;
  const quorums = analysis.minimalQuorums.sets.slice(0, shownSets);
  const cuts = analysis.minimalCuts.sets.slice(0, shownSets);
  const cutsAt = setsAt + Math.max(4, quorums.length) * size.column + 30;
  const width = cutsAt + Math.max(5, cuts.length) * size.column + 30;
  const last = leaves.at(-1);
  const height = (last === undefined ? size.head : last.y + last.height) + size.pad;
  const text = printPolicy(setup.policy);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title desc">`,
    `<title id="title">${escaped(text)}</title>`,
    `<desc id="desc">${escaped(description(analysis))}</desc>`,
    `<style>${style}</style>`,
    `<rect class="ground" width="${width}" height="${height}"/>`,
    ...nodes,
    ...leaves.flatMap((leaf) => drawCopies(leaf)),
    ...drawSets('can sign', 'quorum', quorums, analysis.minimalQuorums.total, setsAt, leaves),
    ...drawSets('locks out', 'cut', cuts, analysis.minimalCuts.total, cutsAt, leaves),
    '</svg>',
    '',
  ].join('\n');
};

const style = [
  '.ground{fill:#fff}.box{fill:#f4f5f7;stroke:#5b6472}.alone{stroke:#b3261e;stroke-width:2}',
  '.link{fill:none;stroke:#9aa3af}text{font:12px system-ui,sans-serif;fill:#1b1f24}',
  '.small{font-size:10px;fill:#5b6472}.quorum{fill:#1f7a4d}.cut{fill:#b3261e}.rule{stroke:#d6dae0}',
  '@media(prefers-color-scheme:dark){.ground{fill:#14171b}.box{fill:#222830;stroke:#8b95a3}',
  '.alone{stroke:#f2867d}text{fill:#e8ebef}.small{fill:#a6afbb}.rule{stroke:#333b45}',
  '.quorum{fill:#5fc795}.cut{fill:#f2867d}}',
].join('');

interface Leaf {
  readonly party: string;
  /** What is said of its copies. */
  readonly lines: readonly string[];
  readonly x: number;
  readonly y: number;
  readonly height: number;
}

const depthOf = (policy: Policy): number =>
  policy.kind === 'party' ? 0 : 1 + Math.max(...policy.parts.map(depthOf));

/** One row per leaf, high enough for its copies. */
const layLeaves = (setup: Setup, x: number): readonly Leaf[] => {
  let y = size.head;
  const leaves: Leaf[] = [];
  const visit = (part: Policy): void => {
    if (part.kind !== 'party') {
      part.parts.forEach(visit);
      return;
    }
    // A bare party has one copy of its own name, of which there is nothing to say.
    const lines = (setup.shares.get(part.name) ?? []).flatMap(copyLines).filter((line) => line !== part.name);
    const height = (lines.length + 1) * size.line + size.pad;
    leaves.push({ party: part.name, lines, x, y, height });
    y += height;
  };
  visit(setup.policy);
  return leaves;
};

/** Draws a part and returns where its link attaches. */
const drawPart = (
  part: Policy,
  depth: number,
  leaves: Iterator<Leaf>,
  out: string[],
  analysis: Analysis,
): { readonly x: number; readonly y: number } => {
  if (part.kind === 'party') {
    const leaf = leaves.next();
    if (leaf.done === true) return { x: 0, y: 0 };
    const { x, y, party } = leaf.value;
    const isAlone =
      analysis.singlePointsOfFailure.includes(party) || analysis.singlePointsOfCompromise.includes(party);
    out.push(box(x, y, 240, isAlone), label(x + 8, y + 17, party));
    return { x, y: y + 13 };
  }
  const x = size.pad + depth * size.level;
  const ends = part.parts.map((child) => drawPart(child, depth + 1, leaves, out, analysis));
  const y = ((ends[0]?.y ?? 0) + (ends.at(-1)?.y ?? 0)) / 2;
  for (const end of ends)
    out.push(
      `<path class="link" d="M${x + 76} ${y}C${x + 94} ${y} ${end.x - 18} ${end.y} ${end.x} ${end.y}"/>`,
    );
  out.push(box(x, y - 13, 76, false), label(x + 8, y + 4, gateName(part)));
  return { x, y };
};

const gateName = (gate: Gate): string => {
  if (gate.kind === 'and') return `all of ${gate.parts.length}`;
  return `${thresholdOf(gate)} of ${gate.parts.length}`;
};

const drawCopies = ({ lines, x, y }: Leaf): readonly string[] =>
  lines.map((line, n) => label(x + 8, y + 24 + (n + 1) * size.line, line, 'small'));

/** One line, or two where the lock does not fit beside the rest. */
const copyLines = (copy: Copy): readonly string[] => {
  const lock = copy.unlock === undefined ? [] : [`opens with ${printPolicy(copy.unlock)}`];
  const kind = copy.kind === undefined ? [] : [copy.kind];
  const where = [copy.id, ...kind, ...domainsOf(copy)].join(' · ');
  const whole = [where, ...lock].join(' · ');
  // No-break spaces indent; others would be collapsed.
  return whole.length <= copyLength
    ? [whole]
    : [where, ...lock.map((text) => `\u00a0\u00a0\u00a0${text}`)].map(shortened);
};

const shortened = (line: string): string =>
  line.length > copyLength ? `${line.slice(0, copyLength - 1)}…` : line;

/** One column per set, one mark per party in it. */
const drawSets = (
  title: string,
  kind: 'quorum' | 'cut',
  sets: readonly (readonly string[])[],
  total: bigint,
  x: number,
  leaves: readonly Leaf[],
): readonly string[] => [
  label(x - 6, 16, title),
  label(x - 6, 32, total > BigInt(sets.length) ? `first ${sets.length} of ${total}` : `${total}`, 'small'),
  ...sets.flatMap((set, n) => {
    const at = x + n * size.column;
    const rows = leaves.filter(({ party }) => set.includes(party)).map(({ y }) => y + 13);
    return [
      `<line class="rule" x1="${at}" x2="${at}" y1="${size.head}" y2="${(leaves.at(-1)?.y ?? 0) + 26}"/>`,
      ...rows.map((y) => `<circle class="${kind}" cx="${at}" cy="${y}" r="5"/>`),
    ];
  }),
];

const box = (x: number, y: number, width: number, isAlone: boolean): string =>
  `<rect class="box${isAlone ? ' alone' : ''}" x="${x}" y="${y}" width="${width}" height="26" rx="5"/>`;

const label = (x: number, y: number, text: string, kind = ''): string =>
  `<text${kind === '' ? '' : ` class="${kind}"`} x="${x}" y="${y}">${escaped(text)}</text>`;

const description = ({ lossTolerance, theftTolerance, singlePointsOfFailure }: Analysis): string =>
  [
    `Loss tolerance ${lossTolerance}, theft tolerance ${theftTolerance}.`,
    singlePointsOfFailure.length === 0
      ? 'Every party can be missed.'
      : `Needed by every quorum: ${singlePointsOfFailure.join(', ')}.`,
  ].join(' ');

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const escaped = (text: string): string => text.replace(/[&<>"']/g, (mark) => entities[mark] ?? '');
