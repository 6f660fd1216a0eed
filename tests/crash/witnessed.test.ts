/**
 * A key of which the server holds no share: it, or one of the two devices, dies in a key generation or a refresh.
 * Afterwards both devices and the server agree on what there is, and the devices can use it.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test, vi } from 'vitest';
import { KeepsetError, utf8ToBytes } from '@keepset/bytes';
import {
  joinGroup,
  joinKeygen,
  joinLife,
  joinSign,
  party1Handler,
  protocolFor,
  runKeygen,
  runRefresh,
  settleOpenSessions,
  signWith,
  supportedSchemes,
  type DeviceParty,
  type Group,
  type GroupPrompts,
} from '@keepset/ceremony';
import { generateIdentity } from '@keepset/wire';
import { enrolmentStore } from '../../apps/server/src/enrolment/store.ts';
import {
  closeServer,
  copyOf,
  finishRequests,
  mortal,
  newLife,
  openDevice,
  openStores,
  wireTo,
  type Life,
  type OpenServer,
  type World,
} from '../support/crash.ts';
import { temporaryFolder } from '../support/folders.ts';

// Many runs: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

/** Phone and stick of one user, and their server. */
interface Pair {
  readonly phone: World;
  readonly usb: World;
}

const newPair = async (): Promise<Pair> => {
  const server = temporaryFolder();
  mkdirSync(join(server, 'data'));
  const { database, logKey } = await openStores(server);
  const enrolments = enrolmentStore(database);
  const enrolled = async (party: string, at: number): Promise<World> => {
    const identity = await generateIdentity();
    const code = new Uint8Array(32).fill(at);
    enrolments.addCode(code, at === 0 ? undefined : 't1', 60);
    const row = { device: party, authKey: party, publicKey: identity.publicSigningKey, party };
    enrolments.enrol(code, row, 't1', 0);
    const caller = { tenant: 't1', device: party, party };
    return { server, home: temporaryFolder(), identity, caller, logKey };
  };
  const pair = { phone: await enrolled('phone', 0), usb: await enrolled('usb', 1) };
  database.close();
  return pair;
};

const copyPair = ({ phone, usb }: Pair): Pair => {
  const copy = copyOf(phone);
  return { phone: copy, usb: { ...copyOf(usb), server: copy.server } };
};

/** Who dies at which moment. */
type Deaths = Readonly<Partial<Record<'server' | 'phone' | 'usb', number>>>;
type Lives = Readonly<Record<'server' | 'phone' | 'usb', Life>>;
type Work = (phone: DeviceParty, usb: DeviceParty) => Promise<unknown>;

/** Runs `work` until it ends or somebody dies; then everything stops as it is. */
const runOnce = async ({ phone, usb }: Pair, deaths: Deaths, work: Work): Promise<Lives> => {
  const lives = { server: newLife(deaths.server), phone: newLife(deaths.phone), usb: newLife(deaths.usb) };
  const { database, store, sealer, log } = await openStores(phone.server);
  const handler = party1Handler({
    party: 'server',
    schemes: supportedSchemes,
    store: mortal(store, 'store', lives.server),
    sealer: mortal(sealer, 'sealer', lives.server),
    // Nobody waits ten seconds for somebody who is dead.
    now: () => performance.now() * 20,
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms / 20).unref()),
  });
  const server: OpenServer = { handler, life: lives.server, database, log, running: new Set() };
  const end = Promise.race([lives.server.death, lives.phone.death, lives.usb.death]);
  let over = false;
  const opened = async (world: World, life: Life): Promise<DeviceParty> => {
    const device = await openDevice(world, wireTo(server, world.caller), life);
    return { ...device, party: world.caller.party, transport: stopping(device.transport, () => over) };
  };
  try {
    const done = opened(phone, lives.phone).then(async (one) => work(one, await opened(usb, lives.usb)));
    await Promise.race([done, end]).catch(() => undefined);
    over = true;
    await finishRequests(server);
    return lives;
  } finally {
    closeServer(server);
  }
};

/** The way to a server that everybody has stopped talking to. */
const stopping = (transport: DeviceParty['transport'], isOver: () => boolean): DeviceParty['transport'] => ({
  ...transport,
  step: (request) =>
    isOver()
      ? Promise.reject(new KeepsetError('transport/unreachable', 'It is over.'))
      : transport.step(request),
});

const meet = (
  usb: DeviceParty,
  start: (prompts: GroupPrompts) => Promise<unknown>,
  joined: (group: Group) => Promise<unknown>,
): Promise<unknown> => {
  const joining = Promise.withResolvers<unknown>();
  const starting = start({
    announce: ({ codes: [first] }) => {
      if (first !== undefined) joining.resolve(joinGroup(usb, first.code).then(joined));
    },
    compare: () => Promise.resolve(),
  });
  return Promise.all([starting, joining.promise]);
};

const keygen: Work = (phone, usb) =>
  meet(
    usb,
    (prompts) => runKeygen(phone, { scheme: 'ed25519', policy: 'and(phone,usb)' }, prompts),
    (group) => joinKeygen(usb, group),
  );
const refresh: Work = async (phone, usb) => {
  const [keyId = ''] = await phone.vault.list();
  await meet(
    usb,
    (prompts) => runRefresh(phone, keyId, prompts),
    (group) => joinLife(usb, group),
  );
};

/** All three agree on every key, and the devices sign with it. @returns the epochs there are */
const expectWhole = async (pair: Pair): Promise<number[]> => {
  const epochs: number[] = [];
  await runOnceOrThrow(pair, async (phone, usb) => {
    for (const device of [phone, usb]) {
      for (const { outcome } of await settleOpenSessions(device)) expect(outcome).not.toBe('undecided');
      expect(await device.journal.list()).toEqual([]);
    }
    const remote = await phone.transport.keys();
    const ids = remote.map(({ keyId }) => keyId).toSorted();
    for (const device of [phone, usb]) expect((await device.vault.list()).toSorted()).toEqual(ids);
    for (const { keyId, epoch } of remote) {
      const [mine, theirs] = [await phone.vault.open(keyId), await usb.vault.open(keyId)];
      expect(mine.group.epoch).toBe(epoch);
      expect(theirs.group).toEqual(mine.group);
      epochs.push(epoch);
      const request = { message: utf8ToBytes(keyId), digest: 'none' } as const;
      const signatures: Uint8Array[] = [];
      await meet(
        usb,
        async (prompts) =>
          signatures.push((await signWith(phone, mine, request, { parties: ['usb'], prompts })).signature),
        async (group) => signatures.push((await joinSign(usb, theirs, group)).signature),
      );
      for (const signature of signatures)
        expect(protocolFor('ed25519').verify(mine.group, request, signature)).toBe(true);
    }
  });
  return epochs;
};

const runOnceOrThrow = async (pair: Pair, work: Work): Promise<void> => {
  const outcome = Promise.withResolvers<void>();
  void runOnce(pair, {}, (phone, usb) =>
    work(phone, usb).then(
      () => outcome.resolve(),
      (error: unknown) => outcome.reject(error),
    ),
  );
  await outcome.promise;
};

/** The moments at which something becomes durable or known, and some of the others. */
const moments = ({ moments: all }: Life): number[] =>
  [...all.keys()].filter(
    (at) =>
      /vault\.(putPending|promote|retire)|journal\.|logPin\.save|store\.commit/.test(all[at] ?? '') ||
      at % 40 === 0,
  );

let template: Pair;
beforeAll(async () => {
  template = await newPair();
  await runOnce(template, {}, keygen);
});

test('nobody dies', async () => {
  expect(await expectWhole(template)).toEqual([0]);
});

test.each<[string, Work, readonly number[]]>([
  ['key generation', keygen, [0, 0]],
  ['refresh', refresh, [1]],
])('in a %s anybody dies at every moment that counts', async (_name, work, complete) => {
  const whole = copyPair(template);
  const lives = await runOnce(whole, {}, work);
  expect(await expectWhole(whole)).toEqual(complete);
  const seen = new Set<string>();
  for (const side of ['server', 'phone', 'usb'] as const)
    for (const at of moments(lives[side])) {
      const pair = copyPair(template);
      await runOnce(pair, { [side]: at }, work);
      seen.add((await expectWhole(pair)).join());
    }
  // Both ends were met: the deaths came before and after the commit.
  expect([...seen].toSorted()).toEqual(['0', complete.join()].toSorted());
});
