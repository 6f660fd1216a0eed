/**
 * Finds the typing errors in an age identity that somebody copied from paper. The bech32 checksum proves that it is
 * wrong; this says where. It shows positions and never corrects by itself: a guess that fits is not yet the truth.
 * @spec BIP 173, "Error detection"; C2SP age.md, native identities
 */

const prefix = 'AGE-SECRET-KEY-1';
const charset = 'QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L';
/** 52 characters of key and 6 of checksum. */
const bodyLength = 58;

/** What is wrong with a typed identity. */
export type CodeVerdict =
  | { readonly status: 'ok'; readonly identity: string }
  | {
      readonly status: 'typo';
      /**
       * Where, counted from 1 in the characters after `AGE-SECRET-KEY-1`, white space not counted. Empty if there are
       * too many errors to tell.
       */
      readonly positions: readonly number[];
      readonly reason: 'prefix' | 'characters' | 'checksum' | 'missing' | 'superfluous' | 'length';
    };

/** Case, white space and the grouping of the printed kit do not matter. */
export const checkTypedCode = (typed: string): CodeVerdict => {
  const text = typed.toUpperCase().replaceAll(/\s/g, '');
  if (!text.startsWith(prefix)) return { status: 'typo', positions: [], reason: 'prefix' };
  const body = text.slice(prefix.length);
  const foreign = Array.from(body).flatMap((char, i) => (charset.includes(char) ? [] : [i + 1]));
  if (foreign.length > 0) return { status: 'typo', positions: foreign, reason: 'characters' };
  const values = Array.from(body, (char) => charset.indexOf(char));
  if (values.length === bodyLength - 1) return locateMissing(values);
  if (values.length === bodyLength + 1) return locateSuperfluous(values);
  if (values.length !== bodyLength) return { status: 'typo', positions: [], reason: 'length' };
  if (residueOf(values) === 1) return { status: 'ok', identity: text };
  return { status: 'typo', positions: locateWrong(values), reason: 'checksum' };
};

/** Human-readable part of the identity as the checksum sees it: high bits, zero, low bits, in lower case. */
const expandedPrefix = Array.from('age-secret-key-', (char) => char.charCodeAt(0) >> 5).concat(
  0,
  Array.from('age-secret-key-', (char) => char.charCodeAt(0) & 31),
);

const generators = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];

/** The checksum's polynomial residue: 1 for a valid code. */
const residueOf = (values: readonly number[]): number => polymod([...expandedPrefix, ...values], 1);

const polymod = (values: readonly number[], start: number): number =>
  values.reduce((residue, value) => {
    const top = residue >>> 25;
    const next = ((residue & 0x1ffffff) << 5) ^ value;
    return generators.reduce((sum, generator, i) => ((top >> i) & 1 ? sum ^ generator : sum), next);
  }, start);

/** Residue of an error alone: the checksum is linear. */
const syndromeOf = (position: number, error: number): number =>
  polymod([error, ...Array.from({ length: bodyLength - 1 - position }, () => 0)], 0);

/** Position of each single error by its syndrome; all differ. Made on first use. */
let singleErrors: ReadonlyMap<number, number> | undefined;
const positionsBySyndrome = (): ReadonlyMap<number, number> => {
  if (singleErrors !== undefined) return singleErrors;
  const made = new Map<number, number>();
  for (let position = 0; position < bodyLength; position++)
    for (let error = 1; error < 32; error++) made.set(syndromeOf(position, error), position);
  singleErrors = made;
  return made;
};

/** The one or two positions that explain the residue, from 1; empty if none, or several explanations, exist. */
const locateWrong = (values: readonly number[]): number[] => {
  const target = residueOf(values) ^ 1;
  const at = positionsBySyndrome();
  const single = at.get(target);
  if (single !== undefined) return [single + 1];
  const pairs = new Set<string>();
  for (const [syndrome, position] of at) {
    const other = at.get(target ^ syndrome);
    if (other !== undefined && other !== position) pairs.add([position, other].sort((a, b) => a - b).join());
  }
  const [only] = pairs;
  return pairs.size === 1 && only !== undefined ? only.split(',').map((text) => Number(text) + 1) : [];
};

const locateMissing = (values: readonly number[]): CodeVerdict => {
  const positions = Array.from({ length: bodyLength }, (_, i) => i).filter((i) =>
    Array.from(charset).some((_, value) => residueOf(values.toSpliced(i, 0, value)) === 1),
  );
  return { status: 'typo', positions: positions.map((i) => i + 1), reason: 'missing' };
};

const locateSuperfluous = (values: readonly number[]): CodeVerdict => {
  const positions = values.flatMap((_, i) => (residueOf(values.toSpliced(i, 1)) === 1 ? [i + 1] : []));
  return { status: 'typo', positions, reason: 'superfluous' };
};
