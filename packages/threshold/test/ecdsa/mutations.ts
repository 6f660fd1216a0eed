/** All the ways in which the adversary suite spoils one message. */
import { decodeCbor, encodeCbor, type CborValue } from '@keepset/bytes';
import type { ProtocolMessage } from '../../src/index.ts';

export interface Mutation {
  readonly name: string;
  /** Whether the body no longer has the form its schema asks for. */
  readonly isMalformed: boolean;
  readonly apply: (message: ProtocolMessage) => ProtocolMessage;
}

type Fields = Record<string, CborValue>;
type Change = (value: Uint8Array) => Uint8Array;

const changes: readonly (readonly [string, boolean, Change])[] = [
  ['first bit flipped', false, (value) => value.map((byte, i) => (i === 0 ? byte ^ 1 : byte))],
  ['last bit flipped', false, (value) => value.map((byte, i) => (i === value.length - 1 ? byte ^ 1 : byte))],
  ['zeros', false, (value) => new Uint8Array(value.length)],
  ['ones', false, (value) => new Uint8Array(value.length).fill(255)],
  ['truncated', true, (value) => value.subarray(0, value.length - 1)],
  ['extended', true, (value) => Uint8Array.of(...value, 0)],
];

const isFields = (value: CborValue | undefined): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);

/** Paths to every byte string in the body; array items by their index. */
const leavesOf = (value: CborValue, path: readonly string[] = []): string[][] => {
  if (value instanceof Uint8Array) return [[...path]];
  if (Array.isArray(value))
    return value.flatMap((item: CborValue, i) => leavesOf(item, [...path, String(i)]));
  if (isFields(value))
    return Object.entries(value).flatMap(([name, item]) => leavesOf(item, [...path, name]));
  return [];
};

const replaceAt = (
  value: CborValue,
  path: readonly string[],
  change: (old: CborValue) => CborValue,
): CborValue => {
  const [head, ...rest] = path;
  if (head === undefined) return change(value);
  if (Array.isArray(value))
    return value.map((item: CborValue, i) => (String(i) === head ? replaceAt(item, rest, change) : item));
  const fields = value as Fields;
  return { ...fields, [head]: replaceAt(fields[head]!, rest, change) };
};

const onBody =
  (change: (body: CborValue) => CborValue): Mutation['apply'] =>
  (message) => ({
    ...message,
    body: encodeCbor(change(decodeCbor(message.body))),
  });

/** Every mutation of a message with this body. */
export const mutationsOf = (body: Uint8Array): Mutation[] => {
  const value = decodeCbor(body);
  const fieldwise = leavesOf(value).flatMap((path) => {
    const name = path.join('.');
    return [
      ...changes.map(([change, isMalformed, apply]) => ({
        name: `${name} ${change}`,
        isMalformed,
        apply: onBody((old) => replaceAt(old, path, (leaf) => apply(leaf as Uint8Array))),
      })),
      {
        name: `${name} as text`,
        isMalformed: true,
        apply: onBody((old) => replaceAt(old, path, () => 'text')),
      },
    ];
  });
  const names = isFields(value) ? Object.keys(value) : [];
  const whole: Mutation[] = [
    ...names.map((field) => ({
      name: `without ${field}`,
      isMalformed: true,
      apply: onBody((old) =>
        Object.fromEntries(Object.entries(old as Fields).filter(([key]) => key !== field)),
      ),
    })),
    {
      name: 'with another field',
      isMalformed: true,
      apply: onBody((old) => ({ ...(old as Fields), zzz: 1 })),
    },
    { name: 'an empty map', isMalformed: true, apply: onBody(() => ({})) },
    { name: 'an array', isMalformed: true, apply: onBody((old) => [old]) },
    { name: 'no bytes', isMalformed: true, apply: (message) => ({ ...message, body: new Uint8Array(0) }) },
    {
      name: 'cut short',
      isMalformed: true,
      apply: (message) => ({ ...message, body: message.body.slice(0, -1) }),
    },
    {
      name: 'with trailing bytes',
      isMalformed: true,
      apply: (message) => ({ ...message, body: Uint8Array.of(...message.body, 0) }),
    },
    {
      name: 'garbage',
      isMalformed: true,
      apply: (message) => ({ ...message, body: message.body.map((byte) => ~byte) }),
    },
  ];
  return [...fieldwise, ...whole];
};
