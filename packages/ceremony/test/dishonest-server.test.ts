/**
 * A server that signs its answers properly and lies in them. The device completes nothing without proof that the act
 * stands in a log that still holds all it has seen of it.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { KeepsetError, utf8ToBytes } from '@keepset/bytes';
import { openCheckpoint, parseVerifierKey, signCheckpoint } from '@keepset/log';
import { loadLogSigner } from '../../../apps/server/src/secrets/identity.ts';
import type { LogEvidence, StepResponse } from '@keepset/wire';
import {
  closeServer,
  copyOf,
  deviceOf,
  newWorld,
  openDevice,
  openServer,
  wireTo,
  type OpenServer,
  type World,
} from '../../../tests/support/crash.ts';
import { runKeygen, runSign, settleOpenSessions, type DeviceParty, type GroupKey } from '../src/index.ts';

const policy = 'and(server,phone)';
const request = { message: utf8ToBytes('hello'), digest: 'none' } as const;

let template: World;
let group: GroupKey;
beforeAll(async () => {
  template = await newWorld();
  const server = await openServer(template);
  const device = await openDevice(template, wireTo(server, deviceOf(template).caller));
  group = await runKeygen(device, { scheme: 'ed25519', policy });
  await runSign(device, { keyId: group.keyId, request });
  closeServer(server);
});

type Lie = (response: StepResponse) => StepResponse;

/** A device whose server tells `lie` instead of each of its answers that end a session. */
const liedTo = async (
  lie: Lie,
): Promise<{ device: DeviceParty; honest: DeviceParty; server: OpenServer }> => {
  const world = copyOf(template);
  const server = await openServer(world);
  const wire = wireTo(server, deviceOf(world).caller);
  const honest = await openDevice(world, wire);
  const device: DeviceParty = {
    ...honest,
    transport: {
      ...wire,
      step: async (sent) => {
        const response = await wire.step(sent);
        return response.state === 'committed' ? lie(response) : response;
      },
    },
  };
  return { device, honest, server };
};

const codeOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
    return 'believed';
  } catch (error) {
    return error instanceof KeepsetError ? error.code : String(error);
  }
};

/** Nobody is told that nothing was done: this server may have done it. */
const unproven: unknown = expect.stringContaining('may have been done');

const evidenceOf = ({ evidence }: StepResponse): LogEvidence => {
  if (evidence === undefined) throw new Error('there is no evidence');
  return evidence;
};
const withEvidence =
  (change: (evidence: LogEvidence) => Partial<LogEvidence>): Lie =>
  (response) => {
    const evidence = evidenceOf(response);
    return { ...response, evidence: { ...evidence, ...change(evidence) } };
  };
const flip = (bytes: Uint8Array): Uint8Array =>
  bytes.map((byte, at) => (at === bytes.length - 1 ? byte ^ 1 : byte));
const flipFirst = (list: readonly Uint8Array[]): Uint8Array[] =>
  list.map((each, at) => (at === 0 ? flip(each) : each));

const lies: readonly (readonly [string, Lie, RegExp])[] = [
  ['gives no proof', ({ evidence: _evidence, ...rest }) => rest, /^transport\/bad-response$/],
  [
    'says that it goes on',
    (response) => ({ ...response, state: 'open' }),
    /^(transport\/bad-response|store\/conflict)$/,
  ],
  [
    'answers another session',
    (response) => ({ ...response, session: flip(response.session) }),
    /^transport\/bad-response$/,
  ],
  [
    'answers another step',
    (response) => ({ ...response, step: response.step + 1 }),
    /^transport\/bad-response$/,
  ],
  [
    'shows another entry',
    withEvidence(({ record }) => ({ record: flip(record) })),
    /^(transport\/bad-response|wire\/.*)$/,
  ],
  ['shows another salt', withEvidence(({ salt }) => ({ salt: flip(salt) })), /^transport\/bad-response$/],
  [
    'names another place in the log',
    withEvidence(({ index }) => ({ index: index - 1 })),
    /^transport\/bad-response$/,
  ],
  [
    'proves another inclusion',
    withEvidence(({ inclusion }) => ({ inclusion: flipFirst(inclusion) })),
    /^transport\/bad-response$/,
  ],
  ['proves no inclusion', withEvidence(() => ({ inclusion: [] })), /^transport\/bad-response$/],
  [
    'proves another growth',
    withEvidence(({ consistency }) => ({ consistency: flipFirst(consistency) })),
    /^abort\/transcript-mismatch$/,
  ],
  ['proves no growth', withEvidence(() => ({ consistency: [] })), /^abort\/transcript-mismatch$/],
  [
    'has its checkpoint signed by nobody',
    withEvidence(({ checkpoint }) => ({ checkpoint: checkpoint.replace(/— .*\n$/, '') })),
    /^(abort|wire|input)\//,
  ],
  [
    'has its checkpoint changed',
    withEvidence(({ checkpoint }) => ({ checkpoint: checkpoint.replace(/\n\d+\n/, '\n9\n') })),
    /^abort\/bad-signature$/,
  ],
];

describe.each(lies)('a server that %s', (_, lie, code) => {
  it('is not believed about a signature, and the key is as it was', async () => {
    const { device, honest, server } = await liedTo(lie);
    const head = await honest.logPin.load();
    expect(await codeOf(runSign(device, { keyId: group.keyId, request }))).toMatch(code);
    expect(await honest.logPin.load()).toEqual(head);
    expect(await codeOf(runSign(honest, { keyId: group.keyId, request }))).toBe('believed');
    closeServer(server);
  });

  it('is not believed about a key; settled later, it is on both sides', async () => {
    const { device, honest, server } = await liedTo(lie);
    expect(await codeOf(runKeygen(device, { scheme: 'ed25519', policy }))).toMatch(code);
    expect(await honest.vault.list()).toEqual([group.keyId]);
    expect(await settleOpenSessions(honest)).toMatchObject([{ outcome: 'completed' }]);
    const remote = await honest.transport.keys();
    expect([...(await honest.vault.list())].sort()).toEqual(remote.map(({ keyId }) => keyId).sort());
    closeServer(server);
  });
});

describe('a server that lies about its log', () => {
  it('with a checkpoint of another log that it signed with another key', async () => {
    const other = await loadLogSigner({ load: async (_, create) => create() }, 'keepset.log/test');
    const key = parseVerifierKey(template.logKey);
    const { device, server } = await liedTo(
      withEvidence(({ checkpoint }) => ({
        checkpoint: signCheckpoint(openCheckpoint(checkpoint, key), other),
      })),
    );
    await expect(runSign(device, { keyId: group.keyId, request })).rejects.toMatchObject({
      code: 'abort/bad-signature',
      hint: unproven,
    });
    closeServer(server);
  });

  it('with the proof of an act that was proven before', async () => {
    let first: LogEvidence | undefined;
    const { device, server } = await liedTo((response) => {
      first ??= evidenceOf(response);
      return { ...response, evidence: first };
    });
    expect(await codeOf(runSign(device, { keyId: group.keyId, request }))).toBe('believed');
    await expect(runSign(device, { keyId: group.keyId, request })).rejects.toMatchObject({
      code: 'transport/bad-response',
      hint: unproven,
    });
    closeServer(server);
  });

  it('about what was signed: the message in the entry is another', async () => {
    const { device, server } = await liedTo((response) => response);
    // The server was asked to sign one thing and logs it; the device that asked for another does not accept the entry.
    const transport = device.transport;
    const swapped: DeviceParty = {
      ...device,
      transport: {
        ...transport,
        step: (sent) =>
          transport.step(
            sent.start?.kind === 'sign'
              ? { ...sent, start: { ...sent.start, request: { ...request, message: utf8ToBytes('other') } } }
              : sent,
          ),
      },
    };
    expect(await codeOf(runSign(swapped, { keyId: group.keyId, request }))).toMatch(/^(abort|transport)\//);
    closeServer(server);
  });
});

describe('a server whose part of the protocol is wrong', () => {
  const withMessages =
    (change: (body: Uint8Array) => Uint8Array): Lie =>
    (response) => ({
      ...response,
      messages: response.messages.map((message) => ({ ...message, body: change(message.body) })),
    });

  it('gets no signature out of the device, and no key', async () => {
    for (const lie of [
      withMessages(flip),
      withMessages(() => Uint8Array.of(0xa0)),
      withMessages(() => Uint8Array.of(0xff)),
    ]) {
      const { device, honest, server } = await liedTo(lie);
      expect(await codeOf(runSign(device, { keyId: group.keyId, request }))).toMatch(/^abort\//);
      expect(await codeOf(runKeygen(device, { scheme: 'ed25519', policy }))).toMatch(/^abort\//);
      expect(await honest.vault.list()).toEqual([group.keyId]);
      closeServer(server);
    }
  });
});
