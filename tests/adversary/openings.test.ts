/** What Party 1 and the devices refuse in an opening, and what a server that lies in one gains. */
import { createECDH, createHash } from 'node:crypto';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { KeepsetError, decodeCbor, encodeCbor, toHex } from '@keepset/bytes';
import { isEntryOf, readEntry } from '@keepset/log';
import {
  runKeygen,
  runOpen,
  runPresign,
  runRefresh,
  runSign,
  type DeviceParty,
  type GroupKey,
} from '@keepset/ceremony';
import type { ProtocolMessage } from '@keepset/threshold';
import type { OpenStart, StepResponse } from '@keepset/wire';
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
} from '../support/crash.ts';
import { openRequestOf, signRequestOf } from '../support/steps.ts';

// Many real processes or runs: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const sha256 = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(bytes).digest());
const file = createECDH('prime256v1');
const ephemeral = Uint8Array.from(file.generateKeys());
const request = { message: new Uint8Array(32), digest: 'none' } as const;

let template: World;
let group: GroupKey;
let signing: GroupKey;
beforeAll(async () => {
  template = await newWorld();
  const server = await openServer(template);
  const device = await openDevice(template, wireTo(server, deviceOf(template).caller));
  group = await runKeygen(device, { scheme: 'ecdh-p256', policy: 'and(server,phone)' });
  signing = await runKeygen(device, { scheme: 'ed25519', policy: 'and(server,phone)' });
  closeServer(server);
});

let world: World;
let server: OpenServer;
let device: DeviceParty;
beforeEach(async () => {
  world = copyOf(template);
  server = await openServer(world);
  device = await openDevice(world, wireTo(server, deviceOf(world).caller));
});
afterEach(() => closeServer(server));

const codeOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
    return 'done';
  } catch (error) {
    return error instanceof KeepsetError ? error.code : String(error);
  }
};
const logSize = (): number =>
  Number(server.database.prepare('SELECT count(*) AS n FROM log_entries').get()?.['n']);
const expected = (): string => file.computeSecret(group.publicKey).toString('hex');

describe('Party 1', () => {
  it('answers an honest request, and logs the file’s ephemeral point only as a commitment', async () => {
    const before = logSize();
    const sent = openRequestOf(device, await device.vault.open(group.keyId), ephemeral);
    const answer = await device.transport.step(sent.request);
    expect(answer).toMatchObject({
      state: 'committed',
      messages: [{ from: 'server', to: 'phone', round: 1 }],
    });
    expect(logSize()).toBe(before + 1);
    const { record, salt } = answer.evidence!;
    const entry = readEntry(record);
    expect(entry.kind).toBe('open');
    const about = {
      tenant: deviceOf(world).caller.tenant,
      key: group.keyId,
      session: sent.session,
      epoch: 0,
      message: sha256(ephemeral),
    };
    expect(isEntryOf(entry, about, salt)).toBe(true);
    expect(isEntryOf(entry, { ...about, message: sha256(new Uint8Array(65)) }, salt)).toBe(false);
    for (const secret of [ephemeral.slice(1, 33), sha256(ephemeral)])
      expect(toHex(record)).not.toContain(toHex(secret));
  });

  it.each<[string, Partial<OpenStart>, string]>([
    ['no point of the curve', { ephemeral: new Uint8Array(65).fill(4) }, 'input/malformed'],
    ['a compressed point at length', { ephemeral: new Uint8Array(65).fill(2) }, 'input/malformed'],
    ['a key it does not have', { keyId: 'a'.repeat(26) }, 'input/unknown-key'],
    ['another epoch', { epoch: 1 }, 'abort/wrong-epoch'],
    ['a quorum that is none', { quorum: ['phone', 'laptop'] }, 'policy/unsatisfied'],
    ['a quorum with a stranger', { quorum: ['server', 'phone', 'laptop'] }, 'abort/unknown-party'],
    ['another order', { quorum: ['phone', 'server'] }, 'input/invalid-argument'],
    ['itself as the opener', { opener: 'server' }, 'policy/forbidden'],
    ['an opener who does not ask', { opener: 'laptop' }, 'policy/forbidden'],
  ])('refuses %s, and neither logs nor spends anything', async (_name, changes, code) => {
    const before = logSize();
    const share = await device.vault.open(group.keyId);
    const sent = openRequestOf(device, share, ephemeral, { changes });
    expect(await codeOf(device.transport.step(sent.request))).toBe(code);
    expect(logSize()).toBe(before);
    // The session's name is still free.
    const honest = openRequestOf(device, share, ephemeral, { session: sent.session });
    expect((await device.transport.step(honest.request)).state).toBe('committed');
  });

  it('opens nothing with a key that signs, and signs nothing with a key that opens', async () => {
    const before = logSize();
    const { keyId } = signing;
    const share = await device.vault.open(group.keyId);
    const crossed = openRequestOf(device, share, ephemeral, { changes: { keyId } });
    expect(await codeOf(device.transport.step(crossed.request))).toBe('input/unsupported');
    const sign = signRequestOf(device, await device.vault.open(keyId), request).request;
    const start = { ...sign.start!, keyId: group.keyId } as typeof sign.start & object;
    expect(await codeOf(device.transport.step({ ...sign, start }))).toBe('input/unsupported');
    expect(await codeOf(runSign(device, { keyId: group.keyId, request }))).toBe('input/unsupported');
    expect(await codeOf(runPresign(device, group.keyId, 1))).toBe('input/unsupported');
    expect(await codeOf(runOpen(device, await device.vault.open(keyId), ephemeral))).toBe(
      'input/unsupported',
    );
    expect(logSize()).toBe(before);
  });

  it('opens nothing at an epoch that is over', async () => {
    const old = await device.vault.open(group.keyId);
    await runRefresh(device, group.keyId);
    expect(await codeOf(runOpen(device, old, ephemeral))).toBe('abort/wrong-epoch');
    const fresh = await device.vault.open(group.keyId);
    expect(toHex(await runOpen(device, fresh, ephemeral))).toBe(expected());
    // Not even when it is asked in the new epoch's name: the shares are of different sharings.
    const crossed = openRequestOf(device, old, ephemeral, { changes: { epoch: 1 } });
    const { messages } = await device.transport.step(crossed.request);
    expect(() => crossed.state.advance(messages)).toThrow(
      expect.objectContaining({ code: 'abort/wrong-session' }),
    );
  });

  it('takes no further step in a session that is over', async () => {
    const sent = openRequestOf(device, await device.vault.open(group.keyId), ephemeral);
    await device.transport.step(sent.request);
    const { start: _start, ...rest } = sent.request;
    expect(await codeOf(device.transport.step({ ...rest, step: 2 }))).toBe('store/conflict');
  });
});

describe('the device', () => {
  const opening = async (lie: (response: StepResponse) => StepResponse): Promise<string> => {
    const lied: DeviceParty = {
      ...device,
      transport: { ...device.transport, step: async (sent) => lie(await device.transport.step(sent)) },
    };
    return codeOf(runOpen(lied, await device.vault.open(group.keyId), ephemeral));
  };
  const withBody = (change: (fields: Record<string, Uint8Array>) => object) => (response: StepResponse) => ({
    ...response,
    messages: response.messages.map((message): ProtocolMessage => ({
      ...message,
      body: encodeCbor(change(decodeCbor(message.body) as unknown as Record<string, Uint8Array>) as never),
    })),
  });

  it('opens what the server answers honestly', async () => {
    expect(toHex(await runOpen(device, await device.vault.open(group.keyId), ephemeral))).toBe(expected());
    expect(await opening((response) => response)).toBe('done');
  });

  it('names a server that sends a wrong partial decryption', async () => {
    const share = await device.vault.open(group.keyId);
    const other = createECDH('prime256v1');
    other.generateKeys();
    const foreign = openRequestOf(device, share, Uint8Array.from(other.getPublicKey()));
    const { messages } = await device.transport.step(foreign.request);
    const lies: [string, (response: StepResponse) => StepResponse, string][] = [
      ['of another file', withBody(() => decodeCbor(messages[0]!.body) as object), 'abort/bad-proof'],
      [
        'negated',
        withBody((f) => ({ ...f, partial: f['partial']!.with(0, f['partial']![0]! ^ 1) })),
        'abort/bad-proof',
      ],
      ['unproven', withBody((f) => ({ ...f, challenge: f['response']! })), 'abort/bad-proof'],
      [
        'that is no point',
        withBody((f) => ({ ...f, partial: new Uint8Array(33) })),
        'abort/malformed-message',
      ],
      ['cut off', withBody((f) => ({ partial: f['partial']! })), 'abort/malformed-message'],
      ['of another session', (response) => ({ ...response, messages }), 'abort/wrong-session'],
    ];
    for (const [name, lie, code] of lies) expect(await opening(lie), name).toBe(code);
  });

  it('takes nothing that was not logged as this very opening', async () => {
    const share = await device.vault.open(group.keyId);
    const before = await device.transport.step(openRequestOf(device, share, ephemeral).request);
    const lies: [string, (response: StepResponse) => StepResponse][] = [
      ['nothing', ({ evidence: _evidence, ...rest }) => rest],
      ['another session’s entry', (response) => ({ ...response, evidence: before.evidence! })],
      ['an open session', (response) => ({ ...response, state: 'open' })],
      ['no partial', (response) => ({ ...response, messages: [] })],
    ];
    for (const [name, lie] of lies) expect(await opening(lie), name).toMatch(/^(transport|store)\//);
  });
});
