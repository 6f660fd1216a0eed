import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KeepsetError } from '@keepset/bytes';
import {
  keyringPlace,
  macKeychain,
  secretServiceKeyring,
  type Keyring,
  type SharePlace,
} from '../src/index.ts';
import { codeOf, copyOf, describePlace, describeSeveral, nameA, nameB, type Subject } from './contract.ts';
import { startSecretService, type SecretService } from '../../../tests/support/secret-service.ts';
import { describeFaults } from './faults.ts';

const folder = mkdtempSync(join(tmpdir(), 'keepset-keyring-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A keyring in memory that fails at the chosen call. */
const memoryKeyring = (
  items = new Map<string, string>(),
  failAt = Infinity,
): Keyring & { calls: () => number } => {
  let calls = 0;
  const step = (): void => {
    calls += 1;
    if (calls >= failAt) throw new KeepsetError('place/unreachable', 'the session ended');
  };
  return {
    calls: () => calls,
    get: async (account) => {
      step();
      return items.get(account) ?? null;
    },
    set: async (account, secret) => {
      step();
      items.set(account, secret);
    },
    remove: async (account) => {
      step();
      items.delete(account);
    },
  };
};

const subjectOver = async (keyring: Keyring): Promise<Subject<SharePlace>> => ({
  place: keyringPlace(keyring),
  reopen: async () => keyringPlace(keyring),
  overwrite: ({ keyId, epoch }, bytes) =>
    keyring.set(`share.${keyId}.${epoch}`, `1:${Buffer.from(bytes).toString('base64')}`),
});
const make = (): Promise<Subject<SharePlace>> => subjectOver(memoryKeyring());
describePlace('keyring', make);
describeSeveral('keyring', make);
describeFaults('keyring', async ({ around }) => keyringPlace(around(memoryKeyring(), ['set', 'remove'])), [
  'place/unreachable',
  'place/locked',
]);

it('keeps the old copy or has the new one, wherever the session ends', async () => {
  for (let failAt = 1; ; failAt++) {
    const items = new Map<string, string>();
    await keyringPlace(memoryKeyring(items)).put(nameA, copyOf('old'), { generation: 1 });
    const dying = memoryKeyring(items, failAt);
    const outcome = await codeOf(keyringPlace(dying).put(nameA, copyOf('new'), { generation: 2 }));
    const place = keyringPlace(memoryKeyring(items));
    expect([1, 2]).toContain((await place.get(nameA))?.generation);
    expect(await place.list()).toHaveLength(1);
    await place.put(nameB, copyOf('b'), { generation: 1 });
    if (outcome === 'no error') break;
    expect(outcome).toBe('place/unreachable');
  }
});

it('says so when its index is damaged', async () => {
  const items = new Map([['index', '{"names":[{"keyId":"../x","epoch":0}]}']]);
  expect(await codeOf(keyringPlace(memoryKeyring(items)).list())).toBe('place/damaged');
  items.set('index', 'garbage');
  expect(await codeOf(keyringPlace(memoryKeyring(items)).put(nameA, copyOf('x'), { generation: 1 }))).toBe(
    'place/damaged',
  );
});

let scripts = 0;
/** An executable that stands in for the system's command, keeps items in a file and writes down its arguments. */
const standIn = (body: string): { command: string; log: () => string } => {
  const command = join(folder, `command${(scripts += 1)}`);
  const [store, log] = [`${command}.json`, `${command}.log`];
  writeFileSync(store, '{}');
  writeFileSync(log, '');
  writeFileSync(
    `${command}.cjs`,
    `const fs = require('node:fs');
     const items = JSON.parse(fs.readFileSync(${JSON.stringify(store)}, 'utf8'));
     const args = process.argv.slice(2);
     fs.appendFileSync(${JSON.stringify(log)}, args.join(' ') + '\\n');
     const input = fs.readFileSync(0, 'utf8');
     const save = () => fs.writeFileSync(${JSON.stringify(store)}, JSON.stringify(items));
     ${body}`,
  );
  writeFileSync(command, `#!/bin/sh\nexec '${process.execPath}' '${command}.cjs' "$@"\n`);
  chmodSync(command, 0o755);
  return { command, log: () => readFileSync(log, 'utf8') };
};

const likeSecurity = `
  const of = (list, flag) => list[list.indexOf(flag) + 1];
  if (args[0] === '-i') {
    const words = input.trim().split(' ');
    items[of(words, '-a')] = Buffer.from(of(words, '-X'), 'hex').toString(); save();
  } else {
    const account = of(args, '-a');
    if (!(account in items)) { console.error('The specified item could not be found in the keychain.'); process.exitCode = 44; }
    else if (args[0] === 'find-generic-password') console.log(items[account]);
    else { delete items[account]; save(); }
  }`;

describe('through macOS’ security, which a stand-in plays', () => {
  it('a copy comes back, and no secret stands in an argument', async () => {
    const { command, log } = standIn(likeSecurity);
    await expectKept(macKeychain(command), log);
  });

  it('a locked keychain and a missing command are said', async () => {
    const { command } = standIn(`console.error('security: Cannot unlock'); process.exitCode = 1;`);
    await expectLocked(macKeychain(command));
    await expectMissing(macKeychain);
  });
});

describe.runIf(process.platform === 'linux')('through secret-tool, with GNOME Keyring', () => {
  let service: SecretService;
  beforeAll(async () => {
    service = await startSecretService();
  });
  const empty = async (): Promise<Subject<SharePlace>> => {
    service.clear();
    return subjectOver(secretServiceKeyring(service.command));
  };
  describePlace('the Secret Service', empty);
  describeSeveral('the Secret Service', empty);

  it('a copy comes back, and no secret stands in an argument', async () => {
    await empty();
    await expectKept(secretServiceKeyring(service.command), service.log);
  });

  it('a locked keyring hides nothing: what is in it is neither missing nor removed', async () => {
    const { place } = await empty();
    await place.put(nameA, copyOf('precious'), { generation: 1 });
    service.lock();
    await expectLocked(secretServiceKeyring(service.command));
    expect(await codeOf(place.list())).toBe('place/locked');
    expect(await codeOf(place.remove(nameA))).toBe('place/locked');
    await service.unlock();
    expect((await place.get(nameA))?.bytes).toEqual(copyOf('precious'));
  });

  it('a missing command and a missing service are said', async () => {
    await expectMissing(secretServiceKeyring);
    const { place } = await subjectOver(secretServiceKeyring(service.at(`unix:path=${folder}/no-such-bus`)));
    expect(await codeOf(place.get(nameA))).toBe('place/locked');
  });
});

const expectKept = async (keyring: Keyring, log: () => string): Promise<void> => {
  const { place } = await subjectOver(keyring);
  expect(await place.get(nameA)).toBeNull();
  await place.put(nameA, copyOf('precious'), { generation: 1 });
  expect((await place.get(nameA))?.bytes).toEqual(copyOf('precious'));
  expect(await place.list()).toHaveLength(1);
  await place.remove(nameA);
  await place.remove(nameA);
  expect(await place.get(nameA)).toBeNull();
  expect(log()).toContain('org.keepset');
  for (const encoding of ['base64', 'hex'] as const)
    expect(log()).not.toContain(Buffer.from(copyOf('precious')).toString(encoding).slice(0, 20));
};

const expectLocked = async (keyring: Keyring): Promise<void> => {
  const { place } = await subjectOver(keyring);
  expect(await codeOf(place.get(nameA))).toBe('place/locked');
  expect(await codeOf(place.put(nameA, copyOf('x'), { generation: 2 }))).toBe('place/locked');
  expect(await place.health(nameA)).toMatchObject({ status: 'unreachable', code: 'place/locked' });
};

const expectMissing = async (keyringOf: (command: string) => Keyring): Promise<void> => {
  const { place } = await subjectOver(keyringOf(join(folder, 'no-such-command')));
  expect(await codeOf(place.get(nameA))).toBe('place/unreachable');
};
