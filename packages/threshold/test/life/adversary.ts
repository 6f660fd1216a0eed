/** Scenarios of each protocol, and everything an adversary on the wire or among the parties may do to a message. */
import { KeepsetError, decodeCbor, encodeCbor, fromHex, type CborValue } from '@keepset/bytes';
import type { GroupKey, PartyId, ProtocolMessage, Step } from '../../src/index.ts';
import {
  curveOf,
  dealKey,
  dealUnder,
  groupOf,
  refreshStarts,
  repairStarts,
  reshareStarts,
  reshareToStarts,
  runNetwork,
  type Shares,
  type Starts,
  type schnorrSchemes,
} from './setup.ts';

type SchnorrScheme = (typeof schnorrSchemes)[number];

/** A protocol with its parties; `seed` gives the randomness, `session` the session. */
export interface Scenario {
  readonly name: string;
  readonly scheme: SchnorrScheme;
  readonly key: GroupKey;
  /** What a party does in it. */
  roleOf(party: PartyId): string;
  starts(session: string, seed?: string): Starts<unknown>;
}

export const scenariosOf = (scheme: SchnorrScheme): readonly Scenario[] => {
  const { shares } = dealKey(scheme, ['phone', 'server', 'usb'], 2, 'adversary');
  const key = groupOf(shares);
  const left: Shares = new Map([...shares].filter(([party]) => party !== 'usb'));
  const nested = dealUnder(scheme, 'and(phone,or(server,usb))', 'adversary').shares;
  const nestedLeft: Shares = new Map([...nested].filter(([party]) => party !== 'usb'));
  const scenario = (
    name: string,
    roleOf: Scenario['roleOf'],
    starts: Scenario['starts'],
    of: GroupKey = key,
  ): Scenario => ({ name, scheme, key: of, roleOf, starts });
  const inRefresh = (): string => 'party';
  const inRepair = (party: PartyId): string => (party === 'usb' ? 'target' : 'helper');
  const inReshare = (party: PartyId): string => ({ phone: 'dealer', server: 'both' })[party] ?? 'holder';
  return [
    scenario('refresh', inRefresh, (session, seed) => refreshStarts(shares, session, seed)),
    scenario('repair', inRepair, (session, seed) =>
      repairStarts(left, ['phone', 'server'], 'usb', session, seed),
    ),
    // One party that only deals, one that does both, two that only hold.
    scenario('reshare', inReshare, (session, seed) =>
      reshareStarts(left, ['phone', 'server'], ['server', 'ipad', 'cloud'], 2, session, seed),
    ),
    scenario(
      'nested refresh',
      inRefresh,
      (session, seed) => refreshStarts(nested, session, seed),
      groupOf(nested),
    ),
    // The phone helps without being needed: the server alone knows the value that both have.
    scenario(
      'nested repair',
      (party) => (party === 'phone' ? 'idle helper' : inRepair(party)),
      (session, seed) => repairStarts(nestedLeft, ['phone', 'server'], 'usb', session, seed),
      groupOf(nested),
    ),
    scenario(
      'nested reshare',
      inReshare,
      (session, seed) =>
        reshareToStarts(nestedLeft, ['phone', 'server'], 'and(server,or(ipad,cloud))', session, seed),
      groupOf(nested),
    ),
  ];
};

/** All messages of an honest run. */
export const honestMessages = (
  scenario: Scenario,
  session: string,
  seed?: string,
): readonly ProtocolMessage[] => runNetwork(scenario.starts(session, seed)).sent;

export const isSame = (
  a: Pick<ProtocolMessage, 'from' | 'to' | 'round'>,
  b: Pick<ProtocolMessage, 'from' | 'to' | 'round'>,
): boolean => a.from === b.from && a.to === b.to && a.round === b.round;

/** Lets one party run on recorded messages. @returns what it came to, or the error it ended with */
export const runAlone = (
  start: () => Step<unknown>,
  messages: readonly ProtocolMessage[],
): Step<unknown> | KeepsetError => {
  let step = start();
  try {
    for (const message of messages) if (step.status === 'running') step = step.advance([message]);
  } catch (error) {
    if (error instanceof KeepsetError) return error;
    throw error;
  }
  return step;
};

export interface Mutation {
  readonly what: string;
  /** Name of the field, empty for the body as a whole. */
  readonly field: string;
  readonly body: Uint8Array;
}

type Fields = { readonly [key: string]: CborValue | undefined };

const flip = (bytes: Uint8Array, at: number): Uint8Array =>
  bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));

/** Bytes in place of a field's bytes. `foreign` is the same field from another party or run. */
const changedBytes = (
  scheme: SchnorrScheme,
  bytes: Uint8Array,
  foreign: CborValue | undefined,
): [string, CborValue][] => {
  const curve = curveOf(scheme);
  const order = new Uint8Array(32);
  curve.writeInteger(new DataView(order.buffer), 0, curve.order);
  // Ed25519: the identity and two points of small order. Others: there is no encoding; these are off the curve.
  const badPoints =
    scheme === 'ed25519'
      ? [`01${'00'.repeat(31)}`, `00${'00'.repeat(31)}`, `ec${'ff'.repeat(30)}7f`]
      : ['00'.repeat(33), `02${'ff'.repeat(32)}`, `05${'11'.repeat(32)}`];
  return [
    ['first bit flipped', flip(bytes, 0)],
    ['last bit flipped', flip(bytes, bytes.length - 1)],
    ['zeros', new Uint8Array(bytes.length)],
    ['all ones', new Uint8Array(bytes.length).fill(255)],
    ['empty', new Uint8Array()],
    ['a byte less', bytes.slice(1)],
    ['a byte more', Uint8Array.of(...bytes, 0)],
    ['text', 'x'.repeat(bytes.length)],
    ['a number', 7],
    ...(bytes.length === 32 ? [['the order', order] as [string, CborValue]] : []),
    ...badPoints
      .map((hex) => fromHex(hex))
      .filter((point) => point.length === bytes.length)
      .map((point, i): [string, CborValue] => [`bad point ${i}`, point]),
    ...(foreign === undefined ? [] : [['another’s value', foreign] as [string, CborValue]]),
  ];
};

const changedList = (
  scheme: SchnorrScheme,
  list: readonly CborValue[],
  foreign: CborValue | undefined,
): [string, CborValue][] => [
  ['one less', list.slice(1)],
  ['one more', [...list, list[0]!]],
  ['no list', list[0]!],
  ...(list.length > 1 ? [['reversed', [...list].reverse()] as [string, CborValue]] : []),
  ...(foreign === undefined ? [] : [['another’s value', foreign] as [string, CborValue]]),
  ...list.flatMap((item, i) =>
    changedBytes(scheme, item as Uint8Array, undefined).map(([what, value]): [string, CborValue] => [
      `${i}: ${what}`,
      list.map((old, j) => (j === i ? value : old)),
    ]),
  ),
];

/** Every way in which a body is changed. @param foreign a body of the same form from another party or run */
export const mutationsOf = (
  scheme: SchnorrScheme,
  body: Uint8Array,
  foreign: Uint8Array | undefined,
): readonly Mutation[] => {
  const fields = decodeCbor(body) as Fields;
  const others = (foreign === undefined ? {} : decodeCbor(foreign)) as Fields;
  const whole: Mutation[] = [
    ['cut in half', body.slice(0, body.length >> 1)],
    ['cut by a byte', body.slice(0, -1)],
    ['empty', new Uint8Array()],
    ['with a byte more', Uint8Array.of(...body, 0)],
    ['not canonical', Uint8Array.of(0xbf, ...body.slice(1), 0xff)],
    ['a list', encodeCbor(Object.values(fields) as CborValue[])],
    ['null', encodeCbor(null)],
    ['one field more', encodeCbor({ ...fields, more: 1 })],
  ].map(([what, bytes]) => ({ what: what as string, field: '', body: bytes as Uint8Array }));
  const inFields = Object.entries(fields).flatMap(([field, value]) => {
    const foreignValue = others[field];
    const values = Array.isArray(value)
      ? changedList(scheme, value, foreignValue)
      : changedBytes(scheme, value as Uint8Array, foreignValue);
    return [['missing', undefined] as const, ...values].map(([what, changed]) => ({
      what: `${field}: ${what}`,
      field,
      body: encodeCbor({ ...fields, [field]: changed }),
    }));
  });
  return [...whole, ...inFields];
};

/** Whom a message is between, by what they do in the scenario: messages with equal keys need testing once. */
export const kindOf = (scenario: Scenario, { from, to, round }: ProtocolMessage): string =>
  `${scenario.roleOf(from)} to ${scenario.roleOf(to)} in round ${round}`;
