/** Keys of which the server holds no share: it passes on, logs, freezes, and is the one moment of commitment. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { randomBytes } from 'node:crypto';
import {
  joinKeygen,
  joinLife,
  joinSign,
  protocolFor,
  runFreeze,
  runKeygen,
  runPresign,
  runRefresh,
  runRepair,
  runReshare,
  runSign,
  settleOpenSessions,
  signWith,
  type DeviceParty,
  type Group,
  type GroupKey,
  type GroupPrompts,
  type Scheme,
} from '@keepset/ceremony';
import { createApproval, startServer, type RunningServer } from '@keepset/server';
import type { SessionStart, StepResponse } from '@keepset/wire';
import { requestFor } from '../support/ceremonies.ts';
import { newDevice, type TestDevice } from '../support/device.ts';
import { addDevice, code, keygenTogether, meet } from '../support/meeting.ts';
import { serverOptions } from '../support/server.ts';

const options = serverOptions();
let server: RunningServer;
let devices: Map<string, TestDevice>;
let phone: TestDevice;
beforeAll(async () => {
  server = await startServer(options);
  phone = await newDevice(server.invite());
  devices = new Map([['phone', phone]]);
  for (const party of ['usb', 'cloud']) devices.set(party, await addDevice(phone, party));
});
afterAll(async () => {
  for (const each of devices.values()) each.close();
  await server.close();
});

const device = (party: string): DeviceParty => devices.get(party)!.device;

const together = <T, U>(
  start: (prompts: GroupPrompts) => Promise<T>,
  others: readonly string[],
  join: (party: string, group: Group) => Promise<U>,
) => meet(start, new Map(others.map((party) => [party, (group: Group) => join(party, group)])), devices);

const keygen = async (scheme: Scheme, policy: string, others: readonly string[]): Promise<GroupKey> => {
  const { started, joined } = await keygenTogether(
    phone,
    { scheme, policy },
    new Map(others.map((party) => [party, devices.get(party)!])),
  );
  for (const group of joined) expect(group).toEqual(started);
  return started;
};

const change = (
  start: (prompts: GroupPrompts) => Promise<GroupKey>,
  others: readonly string[],
): Promise<{ readonly started: GroupKey; readonly joined: GroupKey[] }> =>
  together(start, others, (party, group) => joinLife(device(party), group));

const signs = async (key: GroupKey, starter: string, other: string): Promise<void> => {
  const request = requestFor(key.scheme);
  const mine = await device(starter).vault.open(key.keyId);
  const theirs = await device(other).vault.open(key.keyId);
  const { started, joined } = await together(
    (prompts) => signWith(device(starter), mine, request, { parties: [other], prompts }),
    [other],
    (party, group) => joinSign(device(party), theirs, group),
  );
  for (const { signature } of [started, ...joined])
    expect(protocolFor(key.scheme).verify(key, request, signature)).toBe(true);
};

const known = async (keyId: string) =>
  (await phone.device.transport.keys()).find((key) => key.keyId === keyId);

describe.each<Scheme>(['ed25519', 'schnorr-secp256k1', 'ecdsa-secp256k1', 'ecdsa-p256'])('%s', (scheme) => {
  test('2-of-3 of phone, stick and cloud lives its life over a server that holds nothing', async () => {
    const policy = 'thresh(2,phone,usb,cloud)';
    const key = await keygen(scheme, policy, ['usb', 'cloud']);
    expect(await known(key.keyId)).toMatchObject({ epoch: 0, policy, publicKey: key.publicKey });
    await signs(key, 'phone', 'cloud');
    await signs(key, 'usb', 'phone');

    const { started: refreshed, joined } = await change(
      (prompts) => runRefresh(phone.device, key.keyId, prompts),
      ['usb', 'cloud'],
    );
    expect(refreshed).toMatchObject({ epoch: 1, publicKey: key.publicKey });
    for (const group of joined) expect(group).toEqual(refreshed);
    expect(await known(key.keyId)).toMatchObject({ epoch: 1 });

    await device('cloud').vault.retire(key.keyId, 9);
    const approval = await createApproval(options, key.keyId);
    await change(
      (prompts) => runRepair(phone.device, key.keyId, 'cloud', prompts, { helpers: ['usb'], approval }),
      ['usb', 'cloud'],
    );
    await signs(refreshed, 'cloud', 'phone');

    // The server comes in, and goes again: the same key all the while.
    const withServer = 'thresh(2,server,phone,usb)';
    const { started: three } = await change(
      async (prompts) =>
        runReshare(phone.device, key.keyId, withServer, prompts, {
          helpers: ['usb'],
          approval: await createApproval(options, key.keyId),
        }),
      ['usb'],
    );
    expect(three).toMatchObject({ epoch: 2, publicKey: key.publicKey, policy: withServer });
    const request = requestFor(scheme);
    const { signature } = await runSign(phone.device, { keyId: key.keyId, request });
    // The cloud had no part in that and still has its share of an earlier epoch, which is as good as none.
    expect(protocolFor(scheme).verify(key, request, signature)).toBe(true);
    const { started: without } = await change(
      async (prompts) =>
        runReshare(phone.device, key.keyId, policy, prompts, {
          approval: await createApproval(options, key.keyId),
        }),
      ['usb', 'cloud'],
    );
    expect(without).toMatchObject({ epoch: 3, publicKey: key.publicKey, policy });
    expect(await code(runSign(phone.device, { keyId: key.keyId, request }))).toBe('policy/unsatisfied');
    await signs(without, 'phone', 'usb');
  });
});

describe('over a server without a share', () => {
  const policy = 'and(phone,usb)';
  let key: GroupKey;
  beforeAll(async () => {
    key = await keygen('ed25519', policy, ['usb']);
  });

  test('a frozen key is refused, and goes on after an approved refresh', async () => {
    const own = await keygen('ed25519', policy, ['usb']);
    await runFreeze(phone.device, own.keyId);
    await expect(signs(own, 'phone', 'usb')).rejects.toMatchObject({ code: 'policy/frozen' });
    await expect(
      change((prompts) => runRefresh(phone.device, own.keyId, prompts), ['usb']),
    ).rejects.toMatchObject({ code: 'policy/frozen' });
    const approval = await createApproval(options, own.keyId);
    const { started } = await change(
      (prompts) => runRefresh(phone.device, own.keyId, prompts, { approval }),
      ['usb'],
    );
    expect(await known(own.keyId)).toMatchObject({ epoch: 1, state: 'active' });
    await signs(started, 'phone', 'usb');
  });

  test('nothing is signed or prepared with the server alone', async () => {
    const request = requestFor('ed25519');
    expect(await code(runSign(phone.device, { keyId: key.keyId, request }))).toBe('policy/unsatisfied');
    const ecdsa = await keygen('ecdsa-secp256k1', policy, ['usb']);
    expect(await code(runPresign(phone.device, ecdsa.keyId, 1))).toBe('policy/unsatisfied');
    const quorum = ['server', 'phone'];
    const { keyId } = key;
    const open = (start: SessionStart): Promise<unknown> =>
      code(
        phone.device.transport.step({
          session: new Uint8Array(randomBytes(32)),
          step: 1,
          party: 'phone',
          messages: [],
          start,
        }),
      );
    expect(await open({ kind: 'sign', keyId, epoch: 0, quorum, request })).toBe('policy/unsupported');
    expect(await open({ kind: 'sign', keyId, epoch: 0, quorum: ['phone', 'cloud'], request })).toBe(
      'policy/unsatisfied',
    );
    expect(await open({ kind: 'presign', keyId: ecdsa.keyId, epoch: 0, quorum, path: [] })).toBe(
      'policy/unsupported',
    );
    expect(await open({ kind: 'sign', keyId, epoch: 1, quorum: ['phone', 'usb'], request })).toBe(
      'abort/wrong-epoch',
    );
  });

  /** A device whose server answers something else. */
  const liedTo = (party: string, lie: (response: StepResponse) => StepResponse): DeviceParty => {
    const honest = device(party);
    return {
      ...honest,
      transport: { ...honest.transport, step: async (sent) => lie(await honest.transport.step(sent)) },
    };
  };

  test('a server that says it has committed makes no device accept anything before all have confirmed', async () => {
    // The answer of a session that was committed, in every answer of another.
    const truth: StepResponse[] = [];
    const listening = liedTo('phone', (response) => {
      if (response.state === 'committed') truth.push(response);
      return response;
    });
    await together(
      (prompts) => runRefresh(listening, key.keyId, prompts),
      ['usb'],
      (party, group) => joinLife(device(party), group),
    );
    const before = await device('phone').vault.open(key.keyId);
    const liar = liedTo('phone', (response) => ({
      ...response,
      state: 'committed',
      evidence: truth[0]!.evidence!,
    }));
    const joined: Promise<unknown>[] = [];
    const outcome = await code(
      together(
        (prompts) => runRefresh(liar, key.keyId, prompts),
        ['usb'],
        (party, group) => {
          const joining = joinLife(device(party), group);
          joined.push(code(joining));
          return joining;
        },
      ),
    );
    expect(outcome).toMatch(/^(transport\/bad-response|store\/session-void)$/);
    await settleOpenSessions(device('phone'));
    await Promise.all(joined);
    await settleOpenSessions(device('usb'));
    // Whatever the liar said, both have the same epoch and sign together.
    const after = await device('phone').vault.open(key.keyId);
    const other = await device('usb').vault.open(key.keyId);
    expect(after.group).toEqual(other.group);
    expect(after.group.epoch).toBeGreaterThanOrEqual(before.group.epoch);
    await signs(after.group, 'phone', 'usb');
  });

  test('devices that confirm different keys get none', async () => {
    const twisted: DeviceParty = {
      ...phone.device,
      transport: {
        ...phone.device.transport,
        step: (sent) =>
          phone.device.transport.step({
            ...sent,
            messages: sent.messages.map((message) => ({
              ...message,
              body: message.body.map((byte, at) => (at === message.body.length - 1 ? byte ^ 1 : byte)),
            })),
          }),
      },
    };
    const before = (await phone.device.transport.keys()).length;
    const ends: unknown[] = [];
    await code(
      together(
        (prompts) => runKeygen(twisted, { scheme: 'ed25519', policy }, prompts),
        ['usb'],
        async (party, group) => {
          ends.push(await code(joinKeygen(device(party), group)));
        },
      ).then((meeting) => ends.push(meeting)),
    ).then((end) => ends.push(end));
    expect(ends).toContain('abort/transcript-mismatch');
    expect(await phone.device.transport.keys()).toHaveLength(before);
    for (const party of ['phone', 'usb'])
      for (const { outcome } of await settleOpenSessions(device(party))) expect(outcome).toBe('void');
  });
});
