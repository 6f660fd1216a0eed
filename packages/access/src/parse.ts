import { KeepsetError } from '@keepset/bytes';
import type { PartyName, Policy } from './policy.ts';

/** Limits of policy text. They bound memory and recursion, whoever wrote the text. */
export const policyLimits: {
  readonly characters: 4096;
  readonly depth: 16;
  readonly parties: 32;
  readonly nameLength: 32;
} = { characters: 4096, depth: 16, parties: 32, nameLength: 32 };

/** What {@link parsePolicy} accepts beyond the default. */
export interface ParseOptions {
  /** Lets a party stand more than once, which gives it weight. Refused by default: it is mostly a mistake. */
  readonly allowRepeats?: boolean;
  /** Distinct parties allowed, 1 to 64; default 32, the most that can hold a key. Analysis alone may take 64. */
  readonly maxParties?: number;
}

/** Where and why a text is no policy. */
export interface PolicyProblem {
  /** 1-based, in characters. One past the end when the text ends too early. */
  readonly position: number;
  /** What stands there, safe to print. */
  readonly found: string;
  /** What would have been accepted. */
  readonly expected: string;
  /** One sentence with all three. */
  readonly message: string;
  /** The text around the position, with a caret under it on a second line. */
  readonly excerpt: string;
}

/** What {@link tryParsePolicy} returns. */
export type ParsedPolicy =
  { readonly ok: true; readonly policy: Policy } | { readonly ok: false; readonly problem: PolicyProblem };

/** Parses policy text; a text that is no policy is a value here. See {@link parsePolicy} for the throwing form. */
export const tryParsePolicy = (text: string, options: ParseOptions = {}): ParsedPolicy => {
  const reader: Reader = { text, at: 0, seen: new Set(), options };
  const policy = readText(reader);
  if (!isMiss(policy)) return { ok: true, policy };
  const { at, found, expected } = policy;
  const position = at + 1;
  const message = `Policy error at position ${position}: found ${found}, expected ${expected}.`;
  return { ok: false, problem: { position, found, expected, message, excerpt: excerptOf(text, at) } };
};

/**
 * Parses `and(a,b,…)`, `or(a,b,…)`, `thresh(k,a,b,…)`, nested, and bare party names. ASCII white space may
 * stand between tokens.
 * @throws KeepsetError `policy/syntax`: the message has the 1-based position, what was found and what was
 * expected; the hint shows the place with a caret. {@link tryParsePolicy} gives the same as plain data.
 * @spec spec/policy.md §1
 */
export const parsePolicy = (text: string, options: ParseOptions = {}): Policy => {
  const result = tryParsePolicy(text, options);
  if (result.ok) return result.policy;
  throw new KeepsetError('policy/syntax', result.problem.message, { hint: result.problem.excerpt });
};

interface Reader {
  readonly text: string;
  at: number;
  readonly seen: Set<PartyName>;
  readonly options: ParseOptions;
}

interface Miss {
  readonly kind: 'miss';
  readonly at: number;
  readonly found: string;
  readonly expected: string;
}

const isMiss = (value: Policy | Miss | readonly Policy[]): value is Miss =>
  'kind' in value && value.kind === 'miss';

const miss = (at: number, found: string, expected: string): Miss => ({ kind: 'miss', at, found, expected });

const aPolicy = 'a party name, and(…), or(…) or thresh(k,…)';

const readText = (reader: Reader): Policy | Miss => {
  const { text } = reader;
  const most = policyLimits.characters;
  if (text.length > most)
    return miss(most, `a text of ${text.length} characters`, `at most ${most} characters`);
  const policy = readPolicy(reader, 0);
  if (isMiss(policy)) return policy;
  skipSpace(reader);
  return reader.at === text.length ? policy : miss(reader.at, foundAt(reader), 'the end of the policy');
};

const readPolicy = (reader: Reader, depth: number): Policy | Miss => {
  skipSpace(reader);
  const at = reader.at;
  const word = /^[a-z][a-z0-9-]*/.exec(reader.text.slice(at))?.[0];
  if (word === undefined) return miss(at, foundAt(reader), aPolicy);
  reader.at += word.length;
  if (word === 'and' || word === 'or' || word === 'thresh') return readGate(reader, word, at, depth);
  return readParty(reader, word, at);
};

const readParty = (reader: Reader, name: string, at: number): Policy | Miss => {
  const { seen, options } = reader;
  if (nextIs(reader, '(')) return miss(at, `"${shorten(name)}("`, aPolicy);
  if (name.length > policyLimits.nameLength)
    return miss(at, `a name of ${name.length} characters`, `at most ${policyLimits.nameLength} characters`);
  if (seen.has(name) && options.allowRepeats !== true)
    return miss(
      at,
      `"${name}" again`,
      'each party once (repeating one gives it weight, which must be asked for)',
    );
  seen.add(name);
  const most = options.maxParties ?? policyLimits.parties;
  if (seen.size > most) return miss(at, `party number ${seen.size}`, `at most ${most} parties`);
  return { kind: 'party', name };
};

const readGate = (
  reader: Reader,
  kind: 'and' | 'or' | 'thresh',
  start: number,
  depth: number,
): Policy | Miss => {
  if (depth >= policyLimits.depth)
    return miss(start, `gate number ${depth + 1} inside one another`, `at most ${policyLimits.depth} levels`);
  if (!nextIs(reader, '(')) return miss(reader.at, foundAt(reader), `"(" after ${kind}`);
  reader.at += 1;
  if (kind !== 'thresh') {
    const parts = readParts(reader, depth);
    return isMiss(parts) ? parts : { kind, parts };
  }
  skipSpace(reader);
  const at = reader.at;
  const digits = /^[0-9]+/.exec(reader.text.slice(at))?.[0];
  if (digits === undefined) return miss(at, foundAt(reader), 'a number: how many of the parts are needed');
  if (digits.startsWith('0')) return miss(at, shorten(digits), 'a number from 1 without leading zeros');
  reader.at += digits.length;
  if (!nextIs(reader, ',')) return miss(reader.at, foundAt(reader), '"," and the parts to choose from');
  reader.at += 1;
  const parts = readParts(reader, depth);
  if (isMiss(parts)) return parts;
  const threshold = Number(digits);
  if (threshold > parts.length)
    return miss(at, shorten(digits), `a number from 1 to ${parts.length}, the parts there are`);
  return { kind, threshold, parts };
};

const readParts = (reader: Reader, depth: number): readonly Policy[] | Miss => {
  const parts: Policy[] = [];
  for (;;) {
    const part = readPolicy(reader, depth + 1);
    if (isMiss(part)) return part;
    parts.push(part);
    const closed = nextIs(reader, ')');
    if (!closed && !nextIs(reader, ',')) return miss(reader.at, foundAt(reader), '"," or ")"');
    reader.at += 1;
    if (closed) return parts;
  }
};

const skipSpace = (reader: Reader): void => {
  while (' \t\r\n'.includes(reader.text[reader.at] ?? 'x')) reader.at += 1;
};

/** Moves to the next token and says whether it is `mark`. */
const nextIs = (reader: Reader, mark: string): boolean => {
  skipSpace(reader);
  return reader.text[reader.at] === mark;
};

const shorten = (text: string): string => (text.length > 40 ? `${text.slice(0, 37)}...` : text);

/** The character at the reader, never printed raw unless it is plain ASCII. */
const foundAt = ({ text, at }: Reader): string => {
  const code = text.codePointAt(at);
  if (code === undefined) return 'the end of the text';
  if (code > 0x20 && code < 0x7f) return `"${String.fromCodePoint(code)}"`;
  return `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
};

const excerptWidth = 60;

/** Everything that is not plain ASCII becomes one `?`, so that no text can move the caret or the cursor. */
const excerptOf = (text: string, at: number): string => {
  const start = Math.max(0, Math.min(at - excerptWidth / 2, text.length - excerptWidth));
  const end = Math.min(text.length, start + excerptWidth);
  const shown = text
    .slice(start, end)
    .replace(/[\t\r\n]/g, ' ')
    .replace(/[^\x20-\x7e]/g, '?');
  const [before, after] = [start > 0 ? '...' : '', end < text.length ? '...' : ''];
  return `${before}${shown}${after}\n${' '.repeat(before.length + at - start)}^`;
};
