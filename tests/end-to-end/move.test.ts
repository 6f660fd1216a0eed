/** The server is gone for good, or comes back from an old backup: how a key goes on, and when it cannot. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import {
  acceptRestoredLog,
  joinLife,
  joinSign,
  judgeServer,
  printLogHead,
  protocolFor,
  runKeygen,
  runRefresh,
  runReshare,
  runSign,
  signWith,
  type Group,
  type GroupKey,
  type GroupPrompts,
  type Scheme,
} from '@keepset/ceremony';
import {
  createApproval,
  readLogHead,
  startServer,
  type RunningServer,
  type ServerOptions,
} from '@keepset/server';
import { decodeIdentityFile, type SessionStart } from '@keepset/wire';
import { openVault } from '../../apps/cli/src/home/device.ts';
import { moveHome } from '../../apps/cli/src/home/enrol.ts';
import { requestFor } from '../support/ceremonies.ts';
import { newDevice, openHome, type TestDevice } from '../support/device.ts';
import { temporaryFolder } from '../support/folders.ts';
import { addDevice, code, invitationBy, keygenTogether, meet } from '../support/meeting.ts';
import { serverOptions } from '../support/server.ts';

let options: ServerOptions;
let server: RunningServer;
let phone: TestDevice;
let laptop: TestDevice;
beforeEach(async () => {
  options = serverOptions();
  server = await startServer(options);
  phone = await newDevice(server.invite());
  laptop = await addDevice(phone, 'laptop');
});
afterEach(async () => {
  phone.close();
  laptop.close();
  await server.close();
});

const laptopJoins = <T, U>(
  start: (prompts: GroupPrompts) => Promise<T>,
  join: (group: Group) => Promise<U>,
) => meet(start, new Map([['laptop', join]]), new Map([['laptop', laptop]]));

const keygen = async (policy: string, scheme: Scheme = 'ed25519'): Promise<GroupKey> =>
  (await keygenTogether(phone, { scheme, policy }, new Map([['laptop', laptop]]))).started;

const refresh = async ({ keyId }: GroupKey): Promise<GroupKey> =>
  (
    await laptopJoins(
      (prompts) => runRefresh(phone.device, keyId, prompts),
      (group) => joinLife(laptop.device, group),
    )
  ).started;

/** Brings a key to the devices' present server. */
const adopt = async (keyId: string, policy: string, approval: string): Promise<GroupKey> =>
  (
    await laptopJoins(
      (prompts) =>
        runReshare(phone.device, keyId, policy, prompts, { helpers: ['laptop'], adopt: true, approval }),
      (group) => joinLife(laptop.device, group),
    )
  ).started;

const sign = (device: TestDevice, { keyId, scheme }: GroupKey): Promise<unknown> =>
  code(runSign(device.device, { keyId, request: requestFor(scheme) }));

const move = async (device: TestDevice, invitation: string, abandon = false): Promise<TestDevice> => {
  const identity = await decodeIdentityFile(readFileSync(device.paths.identity));
  const vault = await openVault(device.paths, identity);
  await moveHome(device.paths, invitation, { identity, vault, abandon });
  device.close();
  return openHome(device.home);
};

/** Both devices leave for a new server of the same party name, as one user. */
const moveBoth = async (): Promise<void> => {
  await server.close();
  options = serverOptions();
  server = await startServer(options);
  phone = await move(phone, server.invite());
  laptop = await move(laptop, await invitationBy(phone));
};

describe('the server is gone for good', () => {
  const policy = 'thresh(2,server,phone,laptop)';

  test.each<Scheme>(['ed25519', 'ecdsa-secp256k1'])(
    '%s: two devices bring their key to a new server; the old server’s share is worth nothing',
    async (scheme) => {
      const key = await keygen(policy, scheme);
      await moveBoth();
      expect(await judgeServer(phone.device, key.keyId)).toMatchObject({ verdict: 'adopt', epoch: 0 });
      expect(await sign(phone, key)).toBe('input/unknown-key');
      // Only with the new operator's approval, and of the right kind.
      expect(await code(adopt(key.keyId, policy, 'aaaaaaaaaaaaaaaa'))).toBe('policy/forbidden');
      expect(await code(createApproval(options, key.keyId))).toBe('input/unknown-key');
      const approval = await createApproval(options, key.keyId, 'adopt');
      const moved = await adopt(key.keyId, policy, approval);
      expect(moved).toMatchObject({ keyId: key.keyId, publicKey: key.publicKey, epoch: 1, policy });
      for (const device of [phone, laptop]) expect(await sign(device, key)).toBe('no error');
      expect(await judgeServer(phone.device, key.keyId)).toMatchObject({ verdict: 'current', epoch: 1 });
      expect(await code(adopt(key.keyId, policy, approval))).toBe('policy/forbidden');

      // What the old server has fits none of the new shares.
      const fresh = await phone.device.vault.open(key.keyId);
      for (const [at, image] of fresh.group.verifyingShares.entries())
        expect(image).not.toEqual(key.verifyingShares[at]);
    },
  );

  test('a key moves to a server that only witnesses it, and from there on', async () => {
    const key = await keygen(policy);
    await moveBoth();
    const alone = 'and(phone,laptop)';
    const approval = await createApproval(options, key.keyId, 'adopt');
    const moved = await adopt(key.keyId, alone, approval);
    expect(moved).toMatchObject({ epoch: 1, policy: alone, publicKey: key.publicKey });
    expect((await phone.device.transport.keys())[0]).toMatchObject({ epoch: 1, policy: alone });
    const request = requestFor('ed25519');
    const [mine, theirs] = [
      await phone.device.vault.open(key.keyId),
      await laptop.device.vault.open(key.keyId),
    ];
    const { started } = await laptopJoins(
      (prompts) => signWith(phone.device, mine, request, { parties: ['laptop'], prompts }),
      (group) => joinSign(laptop.device, theirs, group),
    );
    expect(protocolFor('ed25519').verify(key, request, started.signature)).toBe(true);
  });

  test('a policy without a quorum of devices: the exact reason, before anything is asked', async () => {
    const key = await runKeygen(phone.device, { scheme: 'ed25519', policy: 'and(server,phone)' });
    await moveBoth();
    const standing = await judgeServer(phone.device, key.keyId);
    expect(standing.verdict).toBe('lost');
    expect(standing.reason).toContain('every quorum of and(server,phone) needs server');
    const nobody: GroupPrompts = { announce: () => undefined, compare: () => Promise.resolve() };
    await expect(
      runReshare(phone.device, key.keyId, 'and(server,phone)', nobody, { adopt: true }),
    ).rejects.toMatchObject({ code: 'policy/unsatisfied', message: expect.stringContaining('needs server') });
  });

  test('public data that do not fit are refused, and spend no approval', async () => {
    const key = await keygen(policy);
    await moveBoth();
    const approval = await createApproval(options, key.keyId, 'adopt');
    const { keyId } = key;
    const open = (change: Partial<GroupKey> | undefined): Promise<unknown> => {
      const start: SessionStart = {
        kind: 'reshare',
        keyId,
        epoch: 0,
        dealers: ['phone', 'laptop'],
        policy,
        approval,
        ...(change === undefined ? {} : { key: { ...key, ...change } }),
      };
      const session = new Uint8Array(randomBytes(32));
      return code(phone.device.transport.step({ session, step: 1, party: 'phone', messages: [], start }));
    };
    const [first, second, third] = key.verifyingShares;
    expect(await open(undefined)).toBe('wire/malformed');
    expect(await open({ epoch: 1 })).toBe('wire/malformed');
    expect(await open({ verifyingShares: [second!, first!, third!] })).toBe('input/invalid-argument');
    expect(await open({ commitments: [key.commitments[0]!, first!] })).toBe('input/invalid-argument');
    expect(await open({ publicKey: first! })).toBe('input/invalid-argument');
    expect(await open({ keyId: 'a'.repeat(26) })).toBe('wire/malformed');
    // After all these the approval is still good.
    expect(await adopt(keyId, policy, approval)).toMatchObject({ epoch: 1 });
  });
});

describe('the server was restored from an old backup', () => {
  const policy = 'thresh(2,server,phone,laptop)';
  const confirmed = (): Promise<void> => Promise.resolve();

  /** Takes a backup now; the function returned puts it back. */
  const backup = (): (() => Promise<void>) => {
    const folder = temporaryFolder();
    cpSync(options.dataDir, `${folder}/data`, { recursive: true });
    const { kekFile } = options;
    return async () => {
      const port = Number(new URL(server.url).port);
      await server.close();
      options = { ...serverOptions(folder), kekFile, port };
      server = await startServer(options);
    };
  };

  test('behind in the log only: devices go on with the head that the operator vouches for, and no other', async () => {
    const key = await keygen(policy);
    const restore = backup();
    expect(await sign(phone, key)).toBe('no error');
    expect(await sign(laptop, key)).toBe('no error');
    await restore();
    expect(await sign(phone, key)).toBe('store/rollback');
    expect(await judgeServer(phone.device, key.keyId)).toMatchObject({ verdict: 'log-behind' });
    const pinned = await phone.device.logPin.load();
    const vouched = printLogHead(await readLogHead(options));
    const wrong = printLogHead({ size: 1, root: new Uint8Array(32) });
    expect(await code(acceptRestoredLog(phone.device, wrong, confirmed))).toBe('store/rollback');
    const refuse = (): Promise<void> => Promise.reject(Object.assign(new Error('no'), { code: 'refused' }));
    expect(await code(acceptRestoredLog(phone.device, vouched, refuse))).toBe('refused');
    expect(await phone.device.logPin.load()).toEqual(pinned);
    for (const { device } of [phone, laptop]) await acceptRestoredLog(device, vouched, confirmed);
    expect(readdirSync(phone.home).filter((name) => name.startsWith('log-head.cbor.before-'))).toHaveLength(
      1,
    );
    expect(await refresh(key)).toMatchObject({ epoch: 1 });
    for (const device of [phone, laptop]) expect(await sign(device, key)).toBe('no error');
  });

  test('behind in the epoch: the devices give it a share again, with approval', async () => {
    const key = await keygen(policy);
    const restore = backup();
    await refresh(key);
    await restore();
    expect(await judgeServer(phone.device, key.keyId)).toMatchObject({
      verdict: 'adopt',
      epoch: 1,
      serverEpoch: 0,
      isLogBehind: true,
    });
    const vouched = printLogHead(await readLogHead(options));
    for (const { device } of [phone, laptop]) await acceptRestoredLog(device, vouched, confirmed);
    expect(await sign(phone, key)).toBe('abort/wrong-epoch');
    // An approval to change the key as this server knows it does not do.
    const plain = await createApproval(options, key.keyId);
    expect(await code(adopt(key.keyId, policy, plain))).toBe('policy/forbidden');
    // Nor does its old share leave it on the word of devices alone.
    const approval = await createApproval(options, key.keyId, 'adopt');
    expect(await code(adopt(key.keyId, 'and(phone,laptop)', approval))).toBe('policy/unsupported');
    expect(await adopt(key.keyId, policy, approval)).toMatchObject({ epoch: 2 });
    for (const device of [phone, laptop]) expect(await sign(device, key)).toBe('no error');
  });

  test('behind in the epoch, and no quorum without it: said so', async () => {
    const key = await runKeygen(phone.device, { scheme: 'ed25519', policy: 'and(server,phone)' });
    const restore = backup();
    await runRefresh(phone.device, key.keyId);
    await restore();
    const standing = await judgeServer(phone.device, key.keyId);
    expect(standing).toMatchObject({ verdict: 'lost', epoch: 1, serverEpoch: 0 });
    expect(standing.reason).toContain('the devices at 1');
  });
});

test('a home with a ceremony that only the old server can settle moves only when told to give it up', async () => {
  const key = await runKeygen(phone.device, { scheme: 'ed25519', policy: 'and(server,phone)' });
  const share = await phone.device.vault.open(key.keyId);
  const session = new Uint8Array(32).fill(7);
  await phone.device.journal.add({ session, kind: 'refresh', keyId: key.keyId, epoch: 1 });
  await phone.device.vault.putPending({ ...share, group: { ...share.group, epoch: 1 } });
  const other = await startServer(serverOptions());
  await expect(move(phone, other.invite())).rejects.toMatchObject({ code: 'store/conflict' });
  expect(await sign(phone, key)).toBe('no error');
  phone = await move(phone, other.invite(), true);
  expect(await phone.device.journal.list()).toEqual([]);
  expect((await phone.device.vault.open(key.keyId)).group.epoch).toBe(0);
  await other.close();
});
