/** Several devices and one server, over real HTTPS: keys for more than two parties, and the life of a key. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KeepsetError } from '@keepset/bytes';
import {
  joinGroup,
  joinKeygen,
  joinLife,
  joinSign,
  protocolFor,
  runKeygen,
  runPresign,
  runRefresh,
  runRepair,
  runReshare,
  runSign,
  signWith,
  type Group,
  type GroupKey,
  type GroupPrompts,
  type Scheme,
  type SignRequest,
} from '@keepset/ceremony';
import { createApproval, startServer, type RunningServer } from '@keepset/server';
import { requestFor } from '../support/ceremonies.ts';
import { newDevice, type TestDevice } from '../support/device.ts';
import { addDevice, code, keygenTogether, meet, type Meeting } from '../support/meeting.ts';
import { serverOptions } from '../support/server.ts';

const options = serverOptions();
let server: RunningServer;
let phone: TestDevice;
let laptop: TestDevice;
let tablet: TestDevice;

beforeAll(async () => {
  server = await startServer(options);
  phone = await newDevice(server.invite());
  laptop = await addDevice(phone, 'laptop');
  tablet = await addDevice(phone, 'tablet');
});

afterAll(async () => {
  for (const each of [phone, laptop, tablet]) each.close();
  await server.close();
});

const everyone = (): ReadonlyMap<string, TestDevice> =>
  new Map([
    ['laptop', laptop],
    ['tablet', tablet],
  ]);

const keygen = async (scheme: Scheme, policy: string, others: readonly string[]): Promise<GroupKey> => {
  const { started, joined, digits } = await keygenTogether(
    phone,
    { scheme, policy },
    new Map(others.map((party) => [party, deviceOf(party)])),
  );
  expect(new Set(digits).size).toBe(1);
  expect(digits[0]).toMatch(/^\d{5} \d{5} \d{5} \d{5}$/);
  for (const group of joined) expect(group).toEqual(started);
  return started;
};

const deviceOf = (party: string): TestDevice => {
  const device = party === 'phone' ? phone : everyone().get(party);
  if (device === undefined) throw new Error(`no device plays ${party}`);
  return device;
};

const expectSigns = async (party: string, key: GroupKey, text = `signed by ${party}`): Promise<void> => {
  const request = requestFor(key.scheme, text);
  const { signature } = await runSign(deviceOf(party).device, { keyId: key.keyId, request });
  expect(protocolFor(key.scheme).verify(key, request, signature)).toBe(true);
};

const changeTogether = (
  start: (prompts: GroupPrompts) => Promise<GroupKey>,
  others: readonly string[],
): Promise<Meeting<GroupKey, GroupKey>> =>
  meet(
    start,
    new Map(others.map((party) => [party, (group: Group) => joinLife(deviceOf(party).device, group)])),
    everyone(),
  );

describe.each<Scheme>(['ed25519', 'schnorr-secp256k1', 'ecdsa-secp256k1', 'ecdsa-p256'])('%s', (scheme) => {
  test('2-of-3 over three machines: every device signs with the server; life goes on', async () => {
    const key = await keygen(scheme, 'thresh(2,server,phone,laptop)', ['laptop']);
    await expectSigns('phone', key);
    await expectSigns('laptop', key);
    expect(await code(runSign(tablet.device, { keyId: key.keyId, request: requestFor(scheme, 'x') }))).toBe(
      'input/unknown-key',
    );

    // Refresh: both devices and the server; the epoch advances, the public key stays.
    const refreshed = await changeTogether(
      (prompts) => runRefresh(phone.device, key.keyId, prompts),
      ['laptop'],
    );
    expect(refreshed.started).toMatchObject({ epoch: 1, publicKey: key.publicKey, keyId: key.keyId });
    expect(refreshed.joined).toEqual([refreshed.started]);
    await expectSigns('laptop', refreshed.started);

    // Reshare: the tablet comes in, the laptop goes.
    const policy = 'thresh(2,server,phone,tablet)';
    const approval = await createApproval(options, key.keyId);
    const reshared = await changeTogether(
      (prompts) => runReshare(phone.device, key.keyId, policy, prompts, { approval }),
      ['tablet'],
    );
    expect(reshared.started).toMatchObject({ epoch: 2, publicKey: key.publicKey, policy });
    await expectSigns('tablet', reshared.started);
    await expectSigns('phone', reshared.started);
    // The laptop did not take part and still has its old share, which is worth nothing now.
    expect(await code(runSign(laptop.device, { keyId: key.keyId, request: requestFor(scheme, 'x') }))).toBe(
      'abort/wrong-epoch',
    );

    // Repair: the tablet loses its share and gets it again.
    const again = await createApproval(options, key.keyId);
    await tablet.device.vault.retire(key.keyId, 3);
    expect(await tablet.device.vault.list()).not.toContain(key.keyId);
    await changeTogether(
      (prompts) => runRepair(phone.device, key.keyId, 'tablet', prompts, { approval: again }),
      ['tablet'],
    );
    await expectSigns('tablet', reshared.started, 'after the repair');
    await expectSigns('phone', reshared.started, 'after helping');
    await laptop.device.vault.retire(key.keyId, 9);
  });
});

test('3-of-4: the server and one device are not enough; with a co-signer they are', async () => {
  const key = await keygen('ed25519', 'thresh(3,server,phone,laptop,tablet)', ['laptop', 'tablet']);
  const request = requestFor('ed25519', 'together');
  expect(await code(runSign(phone.device, { keyId: key.keyId, request }))).toBe('policy/unsatisfied');
  const share = await phone.device.vault.open(key.keyId);
  const theirs = await tablet.device.vault.open(key.keyId);
  const { started, joined } = await meet(
    (prompts) => signWith(phone.device, share, request, { parties: ['tablet'], prompts }),
    new Map([['tablet', (group: Group) => joinSign(tablet.device, theirs, group)]]),
    everyone(),
  );
  for (const { signature } of [started, ...joined])
    expect(protocolFor('ed25519').verify(key, request, signature)).toBe(true);
});

/** The laptop signs together with the tablet. */
const expectLaptopSigns = async (key: GroupKey): Promise<void> => {
  const { scheme } = key;
  const request = requestFor(scheme, 'nested');
  const share = await laptop.device.vault.open(key.keyId);
  const theirs = await tablet.device.vault.open(key.keyId);
  const { started, joined } = await meet(
    (prompts) => signWith(laptop.device, share, request, { parties: ['tablet'], prompts }),
    new Map([['tablet', (group: Group) => joinSign(tablet.device, theirs, group)]]),
    everyone(),
  );
  for (const { signature } of [started, ...joined])
    expect(protocolFor(scheme).verify(key, request, signature)).toBe(true);
};

describe.each<Scheme>(['ed25519', 'ecdsa-secp256k1'])('a nested policy with %s', (scheme) => {
  const nested = 'and(server,or(phone,thresh(2,laptop,tablet)))';
  const flat = 'and(server,phone)';
  const request = requestFor(scheme, 'nested');
  const outcome = (promise: Promise<unknown>): Promise<unknown> =>
    promise.then(
      () => 'no error',
      ({ code: is, message, hint }: KeepsetError) => ({ code: is, message, hint }),
    );

  test('made, refreshed and repaired; each quorum signs, others are told what is missing', async () => {
    const key = await keygen(scheme, nested, ['laptop', 'tablet']);
    expect(key).toMatchObject({ parties: ['server', 'phone', 'laptop', 'tablet'], threshold: 2 });
    await expectSigns('phone', key);
    await expectLaptopSigns(key);
    expect(await outcome(runSign(laptop.device, { keyId: key.keyId, request }))).toEqual({
      code: 'policy/unsatisfied',
      message: `server and laptop are not enough for ${nested}.`,
      hint: 'Let other devices take part too: --with phone, or --with tablet.',
    });
    const idle = await laptop.device.vault.open(key.keyId);
    const prompts: GroupPrompts = { announce: () => undefined, compare: () => Promise.resolve() };
    expect(
      await outcome(signWith(laptop.device, idle, request, { parties: ['phone'], prompts })),
    ).toMatchObject({
      code: 'policy/unsatisfied',
      hint: expect.stringContaining('Leave out laptop') as string,
    });

    const refreshed = await changeTogether(
      (with_) => runRefresh(phone.device, key.keyId, with_),
      ['laptop', 'tablet'],
    );
    expect(refreshed.started).toMatchObject({ epoch: 1, publicKey: key.publicKey, policy: nested });
    await expectSigns('phone', refreshed.started);
    await expectLaptopSigns(refreshed.started);

    // The phone and the server know the key together, but not the gate inside: the laptop must help too.
    await tablet.device.vault.retire(key.keyId, 2);
    const approval = await createApproval(options, key.keyId);
    expect(await outcome(runRepair(phone.device, key.keyId, 'tablet', prompts, { approval }))).toMatchObject({
      code: 'policy/unsatisfied',
      hint: 'Let other devices take part too: --with laptop.',
    });
    await changeTogether(
      (with_) => runRepair(phone.device, key.keyId, 'tablet', with_, { approval, helpers: ['laptop'] }),
      ['laptop', 'tablet'],
    );
    await expectLaptopSigns(refreshed.started);
  });

  test('from one threshold to a tree and back, it stays the same key', async () => {
    const key = await runKeygen(phone.device, { scheme, policy: flat });
    const there = await createApproval(options, key.keyId);
    const { started: tree } = await changeTogether(
      (prompts) => runReshare(phone.device, key.keyId, nested, prompts, { approval: there }),
      ['laptop', 'tablet'],
    );
    expect(tree).toMatchObject({ epoch: 1, publicKey: key.publicKey, policy: nested });
    await expectLaptopSigns(tree);
    const approval = await createApproval(options, key.keyId);
    const back = await runReshare(phone.device, key.keyId, flat, undefined, { approval });
    expect(back).toMatchObject({ epoch: 2, publicKey: key.publicKey, policy: flat });
    await expectSigns('phone', back);
    expect(await code(runSign(laptop.device, { keyId: key.keyId, request }))).toBe('policy/unsatisfied');
  });
});

test('a quorum of devices whose policy has no use for the server’s share signs without it', async () => {
  const key = await keygen('ed25519', 'thresh(2,and(server,phone),laptop,tablet)', ['laptop', 'tablet']);
  await expectLaptopSigns(key);
});

test('weight is refused unless asked for, and then works', async () => {
  const policy = 'thresh(3,server,server,phone,laptop)';
  expect(await code(runKeygen(phone.device, { scheme: 'ed25519', policy }))).toBe('policy/syntax');
  const { started: key } = await meet(
    (prompts) => runKeygen(phone.device, { scheme: 'ed25519', policy, allowRepeats: true }, prompts),
    new Map([['laptop', (group: Group) => joinKeygen(laptop.device, group)]]),
    everyone(),
  );
  expect(key).toMatchObject({ policy, parties: ['server', 'phone', 'laptop'], threshold: 2 });
  await expectSigns('phone', key);
  await expectSigns('laptop', key);
});

test('a device alone cannot give shares to others: the operator approves, once, for one key', async () => {
  const policy = 'and(server,phone)';
  const key = await runKeygen(phone.device, { scheme: 'ed25519', policy });
  const other = await runKeygen(phone.device, { scheme: 'ed25519', policy });
  const prompts: GroupPrompts = { announce: () => undefined, compare: () => Promise.resolve() };
  const reshare = (approval?: string): Promise<unknown> =>
    code(runReshare(phone.device, key.keyId, policy, prompts, approval === undefined ? {} : { approval }));
  expect(await reshare()).toBe('policy/forbidden');
  expect(await reshare('aaaaaaaaaaaaaaaa')).toBe('policy/forbidden');
  expect(await reshare(await createApproval(options, other.keyId))).toBe('policy/forbidden');
  const approval = await createApproval(options, key.keyId);
  expect(await reshare(approval)).toBe('no error');
  expect(await reshare(approval)).toBe('policy/forbidden');
  expect(await code(createApproval(options, 'a'.repeat(26)))).toBe('input/unknown-key');
  await expectSigns('phone', key);
});

test('presignatures: one request each, used once, void after a restart of the server', async () => {
  const ownOptions = serverOptions();
  let own = await startServer(ownOptions);
  const device = await newDevice(own.invite());
  const key = await runKeygen(device.device, { scheme: 'ecdsa-secp256k1', policy: 'and(server,phone)' });
  await runPresign(device.device, key.keyId, 2);
  const request = requestFor('ecdsa-secp256k1', 'presigned');
  const before = device.traffic().requests;
  const { signature } = await runSign(device.device, { keyId: key.keyId, request });
  expect(device.traffic().requests - before).toBe(1);
  expect(protocolFor(key.scheme).verify(key, request, signature)).toBe(true);

  // The second one's other half dies with the server; the signature is made all the same, with fresh nonces.
  const port = Number(new URL(own.url).port);
  await own.close();
  own = await startServer({ ...ownOptions, port });
  const { signature: fresh } = await runSign(device.device, { keyId: key.keyId, request });
  expect(protocolFor(key.scheme).verify(key, request, fresh)).toBe(true);
  const use = { keyId: key.keyId, epoch: 0, quorum: ['server', 'phone'], path: [] };
  expect(await device.device.presignatures.take(use)).toBeUndefined();
  device.close();
  await own.close();
});

test('children: a signature along a path verifies under the derived key, presigned or not', async () => {
  const key = await runKeygen(phone.device, { scheme: 'ecdsa-p256', policy: 'and(server,phone)' });
  const path = [0, 7];
  await runPresign(phone.device, key.keyId, 1, path);
  const request: SignRequest = { ...requestFor('ecdsa-p256', 'child'), path };
  for (const _ of ['presigned', 'plain']) {
    const { signature } = await runSign(phone.device, { keyId: key.keyId, request });
    expect(protocolFor(key.scheme).verify(key, request, signature)).toBe(true);
    const { path: _dropped, ...parent } = request;
    expect(protocolFor(key.scheme).verify(key, parent, signature)).toBe(false);
  }
});

test('a policy that names devices nobody can ask is refused at once, before any session', async () => {
  const before = phone.traffic().requests;
  expect(await code(runKeygen(phone.device, { scheme: 'ed25519', policy: 'and(server,phone,laptop)' }))).toBe(
    'policy/unsupported',
  );
  expect(phone.traffic().requests).toBe(before);
});

test('a join code of another session, or a changed one, opens nothing', async () => {
  expect(await code(joinGroup(laptop.device, 'keepset-join-aaaa'))).toBe('input/malformed');
  const codes: string[] = [];
  const starting = code(
    runKeygen(
      phone.device,
      { scheme: 'ed25519', policy: 'thresh(2,server,phone,laptop)' },
      {
        announce: (all) => codes.push(...all.codes.map((each) => each.code)),
        compare: () => Promise.resolve(),
      },
    ),
  );
  await expect.poll(() => codes.length).toBe(1);
  // The tablet has got hold of the laptop's code: the server knows no such member.
  expect(await code(joinGroup(tablet.device, codes[0]!))).toBe('abort/unknown-party');
  const group = joinGroup(laptop.device, codes[0]!).then((joined) => joinKeygen(laptop.device, joined));
  expect(await starting).toBe('no error');
  expect((await group).policy).toBe('thresh(2,server,phone,laptop)');
});
