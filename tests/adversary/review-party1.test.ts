/** What a device of the user's own account gains by lying to Party 1: nothing that its party may not have anyway. */
import { randomBytes } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { KeepsetError, decodeCbor, encodeCbor, utf8ToBytes } from '@keepset/bytes';
import { runKeygen, runPresign, runRefresh, runSign, type GroupKey } from '@keepset/ceremony';
import { startServer, type RunningServer, type ServerOptions } from '@keepset/server';
import { protocolFor } from '@keepset/threshold';
import type { RelayedBlob, SessionStart, SignStart, StepRequest } from '@keepset/wire';
import { newDevice, type TestDevice } from '../support/device.ts';
import { addDevice } from '../support/meeting.ts';
import { serverOptions } from '../support/server.ts';
import { signRequestOf } from '../support/steps.ts';

let options: ServerOptions;
let server: RunningServer;
let phone: TestDevice;
/** A further device of the same account, gone bad. */
let laptop: TestDevice;
let key: GroupKey;
beforeAll(async () => {
  options = serverOptions();
  server = await startServer(options);
  phone = await newDevice(server.invite());
  laptop = await addDevice(phone, 'laptop');
  key = await runKeygen(phone.device, { scheme: 'ecdsa-secp256k1', policy: 'and(server,phone)' });
});
afterAll(async () => {
  phone.close();
  laptop.close();
  await server.close();
});

const request = { message: utf8ToBytes('hello'), digest: 'sha256' } as const;
const newSession = (): Uint8Array => new Uint8Array(randomBytes(32));
const step = (device: TestDevice, fields: Partial<StepRequest> & Pick<StepRequest, 'session'>) =>
  device.device.transport.step({ step: 1, messages: [], party: device.device.party, ...fields });
const countOf = (table: 'bans' | 'log_entries'): number => {
  const database = new DatabaseSync(join(options.dataDir, 'keepset.db'), { readOnly: true });
  try {
    return Number(database.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.['n']);
  } finally {
    database.close();
  }
};
const freshSign = async (): Promise<StepRequest> => {
  const share = await phone.device.vault.open(key.keyId);
  return signRequestOf(phone.device, share, request).request;
};

/** The same first message, but with one bit of the OT extension's check changed. */
const cheated = (sent: StepRequest): StepRequest => ({
  ...sent,
  messages: sent.messages.map((message) => {
    const fields = decodeCbor(message.body) as { readonly choiceCheck: Uint8Array };
    const choiceCheck = fields.choiceCheck.map((byte, i) => (i === 0 ? byte ^ 1 : byte));
    return { ...message, body: encodeCbor({ ...fields, choiceCheck }) };
  }),
});

test('a device speaks for the party it was enrolled as, and for no other', async () => {
  const sent = await freshSign();
  await expect(step(laptop, sent)).rejects.toMatchObject({ code: 'policy/forbidden' });
  // In its own name it has no part in the session.
  const mine = { ...sent, session: newSession(), party: 'laptop' };
  await expect(step(laptop, mine)).rejects.toMatchObject({ code: 'abort/unknown-party' });
  // Nor can it have the phone banned.
  await expect(step(laptop, cheated(await freshSign()))).rejects.toMatchObject({ code: 'policy/forbidden' });
  expect(countOf('bans')).toBe(0);
  expect((await runSign(phone.device, { keyId: key.keyId, request })).signature).toHaveLength(65);
});

test('one device cannot be two parties of a key, and so not hold a quorum alone', async () => {
  const session = newSession();
  const policy = 'thresh(2,server,phone,tablet)';
  const start: SessionStart = { kind: 'keygen', scheme: 'ed25519', policy };
  await step(phone, { session, start });
  await expect(step(phone, { session, party: 'tablet' })).rejects.toMatchObject({ code: 'policy/forbidden' });
});

test('a failed step spends the session’s name', async () => {
  const session = newSession();
  const { keyId, epoch } = key;
  const share = await phone.device.vault.open(keyId);
  const start: SessionStart = { kind: 'presign', keyId, epoch, quorum: ['server', 'phone'], path: [] };
  const machine = protocolFor(key.scheme).presigning!.startPresign({ share, session, quorum: start.quorum });
  const [message] = machine.outgoing;
  const wrong = { ...message!, context: new Uint8Array(32) };
  await expect(step(phone, { session, start, messages: [wrong] })).rejects.toMatchObject({
    code: 'abort/wrong-session',
  });
  await expect(step(phone, { session, start, messages: machine.outgoing })).rejects.toMatchObject({
    code: 'store/session-void',
  });
});

test('what cannot be signed spends no session and does not stand in the log', async () => {
  const changes: readonly ((start: SignStart) => Partial<SignStart>)[] = [
    () => ({ quorum: ['phone', 'server'] }),
    () => ({ quorum: ['server'] }),
    () => ({ request: { ...request, taproot: { merkleRoot: new Uint8Array(0) } } }),
    () => ({ request: { ...request, digest: 'none' } }),
    () => ({ presignature: new Uint8Array(32) }),
  ];
  for (const change of changes) {
    const good = await freshSign();
    const start = good.start as SignStart;
    const before = countOf('log_entries');
    await expect(step(phone, { ...good, start: { ...start, ...change(start) } })).rejects.toBeInstanceOf(
      KeepsetError,
    );
    expect(countOf('log_entries')).toBe(before);
    await expect(step(phone, good)).resolves.toMatchObject({ session: good.session });
    expect(countOf('log_entries')).toBe(before + 1);
  }
  // Nor can a device that is no part of the quorum spend one.
  const good = await freshSign();
  const before = countOf('log_entries');
  await expect(step(laptop, { ...good, party: 'laptop' })).rejects.toMatchObject({
    code: 'abort/unknown-party',
  });
  expect(countOf('log_entries')).toBe(before);
  await expect(step(phone, good)).resolves.toMatchObject({ session: good.session });
});

test('a ban ends the sessions that were open already, and what was prepared', async () => {
  await runPresign(phone.device, key.keyId, 1);
  const open = await freshSign();
  const { start, messages, ...rest } = open;
  await step(phone, { ...rest, start: start!, messages: [] });
  await expect(step(phone, cheated(await freshSign()))).rejects.toMatchObject({ code: 'abort/banned' });
  expect(countOf('bans')).toBe(1);
  await expect(step(phone, { ...rest, step: 2, messages })).rejects.toMatchObject({ code: 'abort/banned' });
  await expect(runSign(phone.device, { keyId: key.keyId, request })).rejects.toMatchObject({
    code: 'abort/banned',
  });
  key = await runRefresh(phone.device, key.keyId);
  expect((await runSign(phone.device, { keyId: key.keyId, request })).signature).toHaveLength(65);
});

test('what a device has passed on stays within bounds, and comes in answers that can be read', async () => {
  const session = newSession();
  const start: SessionStart = {
    kind: 'keygen',
    scheme: 'ed25519',
    policy: 'and(server,phone,laptop,tablet)',
  };
  const blob = (size: number): RelayedBlob => ({ party: 'laptop', sealed: new Uint8Array(size).fill(7) });
  await step(phone, { session, start });
  let sent = 0;
  for (let at = 2; at < 6; at += 1) {
    await step(phone, { session, step: at, relay: [blob(300_000), blob(300_000)] });
    sent += 2;
  }
  await step(phone, { session, step: 6, relay: Array.from({ length: 64 }, () => blob(10)) });
  sent += 64;
  let received = 0;
  for (let at = 1; received < sent; at += 1)
    received += (await step(laptop, { session, step: at })).relay?.length ?? 0;
  expect(received).toBe(sent);

  const flood = async (): Promise<void> => {
    for (let at = 7; at < 40; at += 1) await step(phone, { session, step: at, relay: [blob(500_000)] });
  };
  await expect(flood()).rejects.toMatchObject({ code: 'transport/overloaded' });
});
