/** A phone is stolen: what the laptop and the operator stop, what stays stopped, and how the key goes on without it. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { randomBytes } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import {
  joinLife,
  protocolFor,
  runFreeze,
  runPresign,
  runRefresh,
  runRepair,
  runReshare,
  runSign,
  type Group,
  type GroupKey,
  type GroupPrompts,
  type Scheme,
} from '@keepset/ceremony';
import { readEntry } from '@keepset/log';
import {
  createApproval,
  createInvite,
  freezeKey,
  listDevices,
  revokeDevice,
  startServer,
  unfreezeKey,
  type RunningServer,
  type ServerOptions,
} from '@keepset/server';
import type { SessionStart } from '@keepset/wire';
import { requestFor } from '../support/ceremonies.ts';
import { newDevice, type TestDevice } from '../support/device.ts';
import { addDevice, code, invitationBy, keygenTogether, meet } from '../support/meeting.ts';
import { serverOptions } from '../support/server.ts';

let options: ServerOptions;
let server: RunningServer;
let phone: TestDevice;
let laptop: TestDevice;
let key: GroupKey;
beforeEach(async () => {
  options = serverOptions();
  server = await startServer(options);
  phone = await newDevice(server.invite());
  laptop = await addDevice(phone, 'laptop');
  key = await makeKey('ed25519', 'thresh(2,server,phone,laptop)', laptop);
});
const makeKey = async (scheme: Scheme, policy: string, other: TestDevice): Promise<GroupKey> =>
  (await keygenTogether(phone, { scheme, policy }, new Map([[other.device.party, other]]))).started;
afterEach(async () => {
  phone.close();
  laptop.close();
  await server.close();
});

const sign = (device: TestDevice): Promise<unknown> =>
  code(runSign(device.device, { keyId: key.keyId, request: requestFor(key.scheme) }));
const nobody: GroupPrompts = { announce: () => undefined, compare: () => Promise.resolve() };

/** Opens a session of any kind with one request, as a program of a thief may. */
const open = (device: TestDevice, start: SessionStart, session = newSession()): Promise<unknown> =>
  device.device.transport.step({ session, step: 1, party: device.device.party, messages: [], start });
const newSession = (): Uint8Array => new Uint8Array(randomBytes(32));

const logged = (): string[] => {
  const database = new DatabaseSync(join(options.dataDir, 'keepset.db'), { readOnly: true });
  const rows = database.prepare('SELECT record FROM log_entries ORDER BY seq').all();
  database.close();
  return rows.map(({ record }) => readEntry(record as Uint8Array).kind);
};

const refreshTogether = (approval?: string) =>
  meet(
    (prompts) => runRefresh(laptop.device, key.keyId, prompts, approval === undefined ? {} : { approval }),
    new Map([['phone', (group: Group) => joinLife(phone.device, group)]]),
    new Map([['phone', phone]]),
  );

describe('a frozen key', () => {
  test('is refused everything, by whatever device, and the freeze is proven and logged once', async () => {
    key = await makeKey('ecdsa-secp256k1', key.policy, laptop);
    await runPresign(phone.device, key.keyId, 1);
    const before = await laptop.device.logPin.load();
    await runFreeze(laptop.device, key.keyId);
    expect((await laptop.device.logPin.load())!.size).toBeGreaterThan(before?.size ?? 0);
    await runFreeze(phone.device, key.keyId);
    expect(logged().filter((kind) => kind === 'freeze')).toHaveLength(1);
    const { keyId, epoch } = key;
    const request = requestFor(key.scheme);
    const quorum = ['server', 'phone'];
    const approval = 'aaaaaaaaaaaaaaaa';
    const starts: [SessionStart, string][] = [
      [{ kind: 'sign', keyId, epoch, quorum, request }, 'policy/frozen'],
      [{ kind: 'presign', keyId, epoch, quorum, path: [] }, 'policy/frozen'],
      [{ kind: 'refresh', keyId, epoch }, 'policy/frozen'],
      [{ kind: 'reshare', keyId, epoch, dealers: quorum, policy: 'and(server,phone)' }, 'policy/frozen'],
      [{ kind: 'repair', keyId, epoch, helpers: quorum, target: 'laptop' }, 'policy/frozen'],
      [{ kind: 'refresh', keyId, epoch, approval }, 'policy/forbidden'],
      [
        { kind: 'reshare', keyId, epoch, dealers: quorum, policy: 'and(server,phone)', approval },
        'policy/forbidden',
      ],
    ];
    for (const [start, expected] of starts) expect(await code(open(phone, start))).toBe(expected);
    // With what was prepared before, too.
    expect(await sign(phone)).toBe('policy/frozen');
    expect(await sign(laptop)).toBe('policy/frozen');
    expect(await phone.device.transport.keys()).toContainEqual(
      expect.objectContaining({ keyId, state: 'frozen' }),
    );
  });

  test('ends the sessions that were open already', async () => {
    key = await makeKey('ecdsa-secp256k1', key.policy, laptop);
    const session = newSession();
    const { keyId, epoch } = key;
    const start: SessionStart = { kind: 'presign', keyId, epoch, quorum: ['server', 'phone'], path: [] };
    const share = await phone.device.vault.open(keyId);
    const machine = protocolFor(key.scheme).presigning!.startPresign({
      share,
      session,
      quorum: start.quorum,
      path: [],
    });
    await open(phone, start, session);
    await freezeKey(options, keyId);
    const next = { session, step: 2, party: 'phone', messages: machine.outgoing };
    expect(await code(phone.device.transport.step(next))).toBe('policy/frozen');
    await unfreezeKey(options, keyId);
    expect(await code(phone.device.transport.step(next))).toBe('store/session-void');
  });

  test('is not passed on for by devices that were signing together already, for whom the server had nothing left to do', async () => {
    const tablet = await addDevice(phone, 'tablet');
    const own = await makeKey('ed25519', 'and(phone,tablet)', tablet);
    const { keyId, epoch } = own;
    const session = newSession();
    const quorum = ['phone', 'tablet'];
    await open(phone, { kind: 'sign', keyId, epoch, quorum, request: requestFor(own.scheme) }, session);
    const relay = [{ party: 'phone', sealed: new Uint8Array(1) }];
    const pass = (step: number) =>
      code(tablet.device.transport.step({ session, step, party: 'tablet', messages: [], relay }));
    expect(await pass(1)).toBe('no error');
    await runFreeze(phone.device, keyId);
    expect(await pass(2)).toBe('policy/frozen');
    tablet.close();
  });

  test('goes on as it was only by the operator’s word', async () => {
    await freezeKey(options, key.keyId);
    expect(await sign(phone)).toBe('policy/frozen');
    await unfreezeKey(options, key.keyId);
    await unfreezeKey(options, key.keyId);
    expect(await sign(phone)).toBe('no error');
    expect(logged().filter((kind) => kind === 'freeze' || kind === 'unfreeze')).toEqual([
      'freeze',
      'unfreeze',
    ]);
    expect(await code(freezeKey(options, 'a'.repeat(26)))).toBe('input/unknown-key');
  });

  test('is active again after an approved refresh; an approval from before, or a spent one, opens nothing', async () => {
    const early = await createApproval(options, key.keyId);
    await runFreeze(laptop.device, key.keyId);
    await expect(refreshTogether(early)).rejects.toMatchObject({ code: 'policy/forbidden' });
    const approval = await createApproval(options, key.keyId);
    const { started } = await refreshTogether(approval);
    expect(started.epoch).toBe(1);
    expect(await sign(phone)).toBe('no error');
    expect(await sign(laptop)).toBe('no error');
    await runFreeze(phone.device, key.keyId);
    await expect(refreshTogether(approval)).rejects.toMatchObject({ code: 'policy/forbidden' });
  });

  test('stays frozen through an approved repair, which makes no share worthless', async () => {
    await runFreeze(laptop.device, key.keyId);
    await laptop.device.vault.retire(key.keyId, 9);
    const approval = await createApproval(options, key.keyId);
    await meet(
      (prompts) => runRepair(phone.device, key.keyId, 'laptop', prompts, { approval }),
      new Map([['laptop', (group: Group) => joinLife(laptop.device, group)]]),
      new Map([['laptop', laptop]]),
    );
    expect(await sign(laptop)).toBe('policy/frozen');
  });

  test('frozen again while an approved session runs, ends that session', async () => {
    await freezeKey(options, key.keyId);
    const approval = await createApproval(options, key.keyId);
    const { keyId, epoch } = key;
    const session = newSession();
    await open(phone, { kind: 'refresh', keyId, epoch, approval }, session);
    await unfreezeKey(options, keyId);
    await freezeKey(options, keyId);
    const next = { session, step: 2, party: 'phone', messages: [] };
    expect(await code(phone.device.transport.step(next))).toBe('policy/frozen');
  });

  test('is no concern of another user', async () => {
    const stranger = await newDevice(server.invite());
    expect(await code(runFreeze(stranger.device, key.keyId))).toBe('input/unknown-key');
    expect(await sign(phone)).toBe('no error');
    expect(await stranger.device.transport.keys()).toEqual([]);
    stranger.close();
  });

  test('is no concern of a user who brought a key of the same id: the operator names whom is meant', async () => {
    const stranger = await newDevice(server.invite());
    // What is left of a witnessed keygen in which the stranger's devices claim this public key.
    const database = new DatabaseSync(join(options.dataDir, 'keepset.db'));
    database
      .prepare(
        `INSERT INTO keys SELECT ?, key_id, scheme, epoch, 'thresh(2,phone,usb)', public_key, state, frozen_by, NULL, x'00', created_at
         FROM keys WHERE key_id = ?`,
      )
      .run(stranger.account.tenant, key.keyId);
    database.close();
    const publicUrl = server.url;
    expect(await code(createApproval(options, key.keyId))).toBe('input/invalid-argument');
    expect(await code(createInvite({ ...options, publicUrl }, key.keyId))).toBe('input/invalid-argument');
    expect(await code(createApproval(options, key.keyId, 'change', 'nobody'))).toBe('input/invalid-argument');
    const own = laptop.account.device;
    const early = await createApproval(options, key.keyId, 'change', own);
    await runFreeze(stranger.device, key.keyId);
    expect((await refreshTogether(early)).started.epoch).toBe(1);
    await runFreeze(phone.device, key.keyId);
    const theirs = await createApproval(options, key.keyId, 'change', stranger.account.device);
    await expect(refreshTogether(theirs)).rejects.toMatchObject({ code: 'policy/forbidden' });
    const adoption = await createApproval(options, key.keyId, 'adopt', stranger.account.device);
    await expect(refreshTogether(adoption)).rejects.toMatchObject({ code: 'policy/forbidden' });
    // The phone's freeze still holds; the stranger's own may be lifted, and lifts no other.
    expect(await code(unfreezeKey(options, key.keyId))).toBe('input/invalid-argument');
    await unfreezeKey(options, key.keyId, stranger.account.device);
    expect(await sign(phone)).toBe('policy/frozen');
    await freezeKey(options, key.keyId);
    const frozen = { keyId: key.keyId, state: 'frozen' };
    expect(await stranger.device.transport.keys()).toMatchObject([frozen]);
    await unfreezeKey(options, key.keyId, own);
    expect(await sign(phone)).toBe('no error');
    expect(await stranger.device.transport.keys()).toMatchObject([frozen]);
    const invited = await newDevice(await createInvite({ ...options, publicUrl }, key.keyId, own));
    expect(invited.account.tenant).toBe(phone.account.tenant);
    for (const device of [stranger, invited]) device.close();
  });
});

describe('a revoked device', () => {
  const revoke = async (device: TestDevice): Promise<void> => {
    expect(await revokeDevice(options, device.account.device)).toBe(true);
  };

  test('is told so, whatever it asks; nobody else hears of it', async () => {
    const old = await invitationBy(phone);
    await revoke(phone);
    expect(await sign(phone)).toBe('policy/revoked');
    expect(await code(phone.device.transport.keys())).toBe('policy/revoked');
    expect(await code(phone.device.transport.invite())).toBe('policy/revoked');
    expect(await code(runFreeze(phone.device, key.keyId))).toBe('policy/revoked');
    expect(await sign(laptop)).toBe('no error');
    // An invitation it made before does not bring it back.
    expect(await code(newDevice(old))).toBe('transport/enrolment-refused');
    expect(await revokeDevice(options, phone.account.device)).toBe(false);
    expect(await code(revokeDevice(options, 'unknown'))).toBe('input/invalid-argument');
    expect(logged().filter((kind) => kind === 'revoke')).toHaveLength(1);
  });

  test('ends the sessions it takes part in, for the others as well', async () => {
    const { keyId, epoch } = key;
    const session = newSession();
    await open(phone, { kind: 'refresh', keyId, epoch }, session);
    await laptop.device.transport.step({
      session,
      step: 1,
      party: 'laptop',
      messages: [],
      relay: [{ party: 'phone', sealed: new Uint8Array(1) }],
    });
    await revoke(phone);
    expect(
      await code(laptop.device.transport.step({ session, step: 2, party: 'laptop', messages: [] })),
    ).toBe('policy/revoked');
    expect(
      await code(laptop.device.transport.step({ session, step: 2, party: 'laptop', messages: [] })),
    ).toBe('store/session-void');
  });

  test('is listed with its party, and a name held twice is seen', async () => {
    const second = await addDevice(laptop, 'phone');
    const phones = async () => (await listDevices(options)).filter(({ party }) => party === 'phone');
    expect(await phones()).toHaveLength(2);
    await second.device.transport.keys();
    expect((await phones()).every(({ seenAt }) => seenAt !== undefined)).toBe(true);
    await revoke(phone);
    expect((await phones()).map(({ device, revokedAt }) => [device, revokedAt !== undefined])).toEqual(
      expect.arrayContaining([
        [phone.account.device, true],
        [second.account.device, false],
      ]),
    );
    second.close();
  });
});

test('phone stolen: freeze, revoke, reshare to the laptop and a new device; the thief’s share is worth nothing', async () => {
  await runFreeze(laptop.device, key.keyId);
  await revokeDevice(options, phone.account.device);
  const tablet = await addDevice(laptop, 'tablet');
  const policy = 'thresh(2,server,laptop,tablet)';
  const approval = await createApproval(options, key.keyId);
  const { started } = await meet(
    (prompts) => runReshare(laptop.device, key.keyId, policy, prompts, { approval }),
    new Map([['tablet', (group: Group) => joinLife(tablet.device, group)]]),
    new Map([['tablet', tablet]]),
  );
  expect(started).toMatchObject({ epoch: 1, publicKey: key.publicKey, policy });
  for (const device of [laptop, tablet]) expect(await sign(device)).toBe('no error');
  expect(await code(runRefresh(phone.device, key.keyId, nobody))).toBe('policy/revoked');
  tablet.close();
});
