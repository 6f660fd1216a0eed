import { KeepsetError, bytesEqual, fromUtf8, utf8ToBytes } from '@keepset/bytes';

/** A JSON object whose meaning does not depend on who reads it. */
export type JsonObject = Readonly<Record<string, unknown>>;

const maxDepth = 32;

/**
 * Parses a JSON object and refuses what two readers may understand differently: names that stand twice,
 * numbers that lose digits, a byte-order mark, deep nesting.
 * @throws KeepsetError `input/malformed`
 * @spec RFC 8259 §4 and §6 (interoperability), RFC 7493 (I-JSON)
 */
export const parseJsonObject = (bytes: Uint8Array, what: string): JsonObject => {
  const text = fromUtf8(bytes);
  if (!bytesEqual(utf8ToBytes(text), bytes)) throw malformed(`${what} begins with a byte-order mark.`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The engine's message quotes the input: it is not passed on.
    throw malformed(`${what} is not valid JSON.`);
  }
  if (!isObject(value)) throw malformed(`${what} is not a JSON object.`);
  checkTokens(text, what);
  return value;
};

/** The object, if the bytes are JSON text of an object, checked no further; else undefined. */
export const peekJsonObject = (bytes: Uint8Array): JsonObject | undefined => {
  try {
    const value: unknown = JSON.parse(fromUtf8(bytes));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
};

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const tokens = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*|[{}[\]:]/gs;

/** Walks the tokens of a text that is known to be valid JSON. */
const checkTokens = (text: string, what: string): void => {
  const names: Set<string>[] = [];
  let last = '';
  for (const [token] of text.matchAll(tokens)) {
    if (token === '{' || token === '[') {
      names.push(new Set());
      if (names.length > maxDepth) throw malformed(`${what} is nested more than ${maxDepth} levels deep.`);
    } else if (token === '}' || token === ']') names.pop();
    else if (token === ':') {
      const name = JSON.parse(last) as string;
      const seen = names.at(-1);
      if (seen?.has(name) === true) throw malformed(`${what} has a name that stands twice in one object.`);
      seen?.add(name);
    } else if (!token.startsWith('"') && !isExact(token))
      throw malformed(`${what} has a number with more digits than JSON readers keep; write it as a string.`);
    last = token;
  }
};

const isExact = (token: string): boolean => {
  const value = Number(token);
  return /^-?\d+$/.test(token) ? Number.isSafeInteger(value) : Number.isFinite(value);
};

const malformed = (message: string): KeepsetError => new KeepsetError('input/malformed', message);
