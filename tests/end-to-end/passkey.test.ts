/**
 * Passkeys in a real browser: Chromium with a passkey provider in software, whose secrets nobody can get out. The command
 * runs as a process of its own, and the browser opens the page that it names.
 */
import {
  chmodSync,
  cpSync,
  existsSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  browserPasskey,
  createPasskey,
  decodePasskeyName,
  openIdentityWithPasskey,
  sealIdentityToPasskey,
} from '@keepset/places';
import { generateIdentity, openingKeyOf } from '@keepset/wire';
import { openRelay, type Relay } from '../../apps/cli/src/passkey/relay.ts';
import { codeOf } from '../../packages/places/test/contract.ts';
import { openBrowser, type TestBrowser } from '../support/browser.ts';
import { failure, succeed, type Json } from '../support/commands.ts';
import { copyHealth } from '../support/copies.ts';
import { temporaryFolder } from '../support/folders.ts';
import {
  bin,
  errorOf,
  keepset,
  onlyObject,
  start,
  startOnTerminal,
  untilSaid,
} from '../support/processes.ts';
import { expectSigns, expectUseless } from '../support/signing.ts';
import {
  emptyHome,
  makeKey,
  newPerson,
  newPhone,
  newWorld,
  takenAway,
  type World,
} from '../support/world.ts';

// Many real processes: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

let browser: TestBrowser;
beforeAll(async () => {
  browser = await openBrowser();
});

/** Presses the button for each question, until there is none any more. */
const agree = async (times: number): Promise<void> => {
  for (let i = 0; i < times; i += 1) await browser.page.locator('#use').click();
  await browser.page.locator('#wait:visible, #end:visible').waitFor();
};
/** Presses the button, sees that the browser gives nothing, and gives up. */
const giveUp = async (): Promise<void> => {
  await browser.page.locator('#use').click();
  await browser.page.locator('#problem').waitFor();
  await browser.page.locator('#stop').click();
};
const pageSays = (text: string): Promise<void> => browser.page.getByText(text).waitFor();

const codeIn = (said: string): string => /type this code there: +(\S+)/.exec(said)?.[1] ?? '';

/** Runs a command, opens the page it names, tells that the code, and does there what `act` does. */
const inBrowser = async (args: readonly string[], act: () => Promise<void>): Promise<Json> => {
  const running = start(process.execPath, [bin, ...args, '--json']);
  await untilSaid(running, 'and type this code there:');
  await browser.page.goto(/http:\/\/localhost:\d+\/$/m.exec(running.stderr())?.[0] ?? '');
  await browser.page.getByLabel('Code').fill(codeIn(running.stderr()));
  await browser.page.keyboard.press('Enter');
  await act();
  return onlyObject((await running.ended).stdout);
};
const failsInBrowser = async (
  args: readonly string[],
  act: () => Promise<void>,
): Promise<ReturnType<typeof errorOf>> => errorOf({ json: await inBrowser(args, act) });

/** Somebody sits at the terminal: the browser opens by itself, and is told the code by hand. */
const addOnTerminal = async (args: readonly string[]): Promise<void> => {
  const programs = temporaryFolder();
  const opened = join(programs, 'opened');
  for (const name of ['xdg-open', 'open']) {
    writeFileSync(
      join(programs, name),
      `#!/bin/sh\nenv > '${opened}.env'; echo "$@" > '${opened}.new' && mv '${opened}.new' '${opened}'\n`,
    );
    chmodSync(join(programs, name), 0o755);
  }
  const env = { PATH: `${programs}:${process.env['PATH'] ?? ''}`, DISPLAY: ':0', KEEPSET_TEST: 'secret' };
  const running = startOnTerminal(args, { env });
  await vi.waitFor(() => expect(running.stdout()).toContain('type this code there:'), 60_000);
  await vi.waitFor(() => expect(existsSync(opened)).toBe(true), 60_000);
  expect(readFileSync(`${opened}.env`, 'utf8')).toMatch(/^DISPLAY=:0$/m);
  expect(readFileSync(`${opened}.env`, 'utf8')).not.toContain('KEEPSET_');
  // What a program is started with, everybody on the computer can read: the code is not in it.
  const page = readFileSync(opened, 'utf8').trim();
  expect(page).toMatch(/^http:\/\/localhost:\d+\/$/);
  await browser.page.goto(page);
  const code = codeIn(running.stdout());
  await browser.page.getByLabel('Code').fill('aaaa-aaaa');
  await browser.page.keyboard.press('Enter');
  await pageSays('That is not the code');
  await browser.page.getByLabel('Code').fill(code);
  await browser.page.keyboard.press('Enter');
  await agree(3);
  await pageSays('Done');
  expect(await running.ended).toMatchObject({ code: 0 });
};

describe('a passkey of a copy in the cloud', () => {
  let world: World;
  beforeAll(async () => {
    world = await newWorld();
  });

  it('brings a lost phone’s share back, and is no copy of its own', async () => {
    const { phone, keyId, publicKey } = await newPerson(world);
    const cloud = world.folder('cloud');
    const backup = ['backup', cloud, '--cloud', 'icloud', '--show-code', '--passkey', ...phone.args];

    // Declined: nothing is written.
    await browser.replaceProvider({ agrees: false });
    const declined = await failsInBrowser(backup, giveUp);
    expect(declined).toMatchObject({ code: 'place/locked' });
    await browser.replaceProvider();
    expect(readdirSync(cloud)).toEqual([]);

    const made = (await inBrowser(backup, async () => {
      await agree(3);
      await pageSays('Done');
    })) as { kit: string; code: string };
    expect(made).toMatchObject({ keyId, passkey: true });
    expect(await browser.passkeys()).toHaveLength(1);
    const { kit, code } = made;
    expect(await copyHealth(phone, keyId, kit)).toMatchObject({
      proof: 'read back',
      counts: false,
      passkey: { proof: 'read back', reach: { status: 'intact' } },
    });

    // A drill by the passkey proves the passkey. Whether anybody has the code it leaves open.
    const drilled = await inBrowser(['drill', '--copy', kit, '--passkey', ...phone.args], () => agree(1));
    expect(drilled).toMatchObject({ by: 'passkey', proof: 'recovery proven', kit });
    expect(await copyHealth(phone, keyId, kit)).toMatchObject({
      kind: 'folder',
      proof: 'read back',
      counts: false,
      passkey: { proof: 'decrypted' },
    });
    expect(await succeed(['drill', cloud, '--code', code, ...phone.args])).toMatchObject({ by: 'code' });
    expect(await copyHealth(phone, keyId, kit)).toMatchObject({ proof: 'recovery proven', counts: true });

    const { stdout } = await keepset(['health', ...phone.args]);
    expect(stdout).toMatch(/^    its passkey +decrypted +20\d\d-\d\d-\d\d  intact$/m);

    // Writing anew asks nobody.
    const refreshed = await succeed(['refresh', ...phone.args]);
    expect(refreshed['copies']).toMatchObject([{ kind: 'folder', outcome: 'rewritten' }]);

    const old = takenAway(world, phone);
    const fresh = emptyHome(world, 'new-phone');
    const from = ['recover', '--lost', '--from', cloud, '--passkey', ...fresh.args];
    expect(await failsInBrowser(from, () => browser.page.locator('#stop').click())).toMatchObject({
      code: 'place/locked',
    });
    expect(existsSync(fresh.home)).toBe(false);
    const invite = ['--invite', await world.invite(keyId)];
    const recovered = await inBrowser([...from, ...invite], () => agree(1));
    expect(recovered).toMatchObject({ keyId, party: 'phone', state: 'recovered', epoch: 2 });
    expect(recovered['copies']).toMatchObject([{ kind: 'folder', outcome: 'rewritten' }]);
    await expectSigns(world, fresh, publicKey);
    await expectUseless(world, old, keyId);
    expect(await copyHealth(fresh, keyId, kit)).toMatchObject({
      proof: 'read back',
      passkey: { proof: 'decrypted' },
    });
  });

  it('that is another’s, deleted, or gone from the folder says what to do', async () => {
    const phone = await newPhone(world);
    const keyId = await makeKey(phone);
    const [cloud, disk] = [world.folder('cloud'), world.folder('disk')];
    const copies: { kit: string; code: string; folder: string }[] = [];
    for (const folder of [cloud, disk]) {
      const made = (await succeed(['backup', folder, '--show-code', ...phone.args])) as {
        kit: string;
        code: string;
      };
      const add = ['backup', '--add-passkey', made.kit.slice(0, 8), '--code', made.code, ...phone.args];
      if (folder === cloud)
        expect(await inBrowser(add, () => agree(3))).toMatchObject({ kit: made.kit, passkey: true });
      else await addOnTerminal(add);
      copies.push({ ...made, folder: join(folder, `keepset-${made.kit}`) });
    }
    const [one, other] = copies;
    if (one === undefined || other === undefined) throw new Error('two copies');
    expect(
      await failure(['backup', '--add-passkey', one.kit, '--code', other.code, ...phone.args]),
    ).toMatchObject({ code: 'place/locked' });
    const drill = ['drill', cloud, '--passkey', ...phone.args];
    expect(await failure([...drill, '--code', one.code])).toMatchObject({ code: 'input/invalid-argument' });

    // Files of another copy: its passkey opens another code.
    const kept = join(world.folder('kept'), 'files');
    cpSync(one.folder, kept, { recursive: true });
    for (const name of ['passkey.age', 'passkey.txt'])
      cpSync(join(other.folder, name), join(one.folder, name));
    expect(await copyHealth(phone, keyId, one.kit)).toMatchObject({
      passkey: { reach: { status: 'damaged' } },
    });
    const swapped = await failsInBrowser(drill, () => agree(1));
    expect(swapped).toMatchObject({ code: 'place/locked', hint: expect.stringContaining('--code') });
    expect(swapped.message).toContain('another copy');

    // Deleted where it was kept: the browser has none that fits.
    cpSync(kept, one.folder, { recursive: true });
    const { credentialId } = decodePasskeyName(readFileSync(join(one.folder, 'passkey.txt'), 'utf8'));
    await browser.remove(Buffer.from(credentialId).toString('base64'));
    const deleted = await failsInBrowser(drill, giveUp);
    expect(deleted).toMatchObject({ code: 'place/locked', hint: expect.stringContaining('--code') });

    // Nobody knows any more which passkey it was: the user takes one, and it is another.
    await browser.replaceProvider();
    const relay = await openRelay({ title: 'Test', steps: [] });
    const foreign = createPasskey(relay.credentials, { id: 'localhost', name: 'Keepset' }, 'foreign');
    await browser.page.goto(`http://localhost:${relay.port}/#${relay.code}`);
    await agree(1);
    await foreign;
    await relay.close('done');
    renameSync(join(one.folder, 'passkey.txt'), join(kept, 'passkey.txt'));
    const wrong = await failsInBrowser(drill, () => agree(1));
    expect(wrong).toMatchObject({ code: 'place/locked', hint: expect.stringContaining('another') });

    rmSync(join(one.folder, 'passkey.age'));
    expect(await failure(drill)).toMatchObject({ code: 'place/not-found' });
    // The code opens it whatever became of the passkey.
    expect(await succeed(['drill', cloud, '--code', one.code, ...phone.args])).toMatchObject({
      kit: one.kit,
    });
  });
});

describe('the port', () => {
  const party = { id: 'localhost', name: 'Keepset' };
  let relay: Relay;
  const openPage = async (): Promise<void> => {
    relay = await openRelay({ title: 'Test', steps: [] });
    await browser.page.goto(`http://localhost:${relay.port}/#${relay.code}`);
  };
  afterEach(async () => {
    await relay.close('failed');
    await pageSays('Stopped');
  });

  it('seals and opens, and tells one passkey from another', async () => {
    await browser.replaceProvider();
    await openPage();
    const identity = openingKeyOf(await generateIdentity());
    const made = createPasskey(relay.credentials, party, 'Ada');
    await agree(1);
    const passkey = browserPasskey(relay.credentials, party, await made);
    const [sealing] = await Promise.all([sealIdentityToPasskey(identity, passkey), agree(2)]);
    const [opened] = await Promise.all([openIdentityWithPasskey(sealing, passkey), agree(1)]);
    expect(opened).toBe(identity);
    const second = createPasskey(relay.credentials, party, 'Ada');
    await agree(1);
    const other = browserPasskey(relay.credentials, party, await second);
    const [code] = await Promise.all([codeOf(openIdentityWithPasskey(sealing, other)), agree(1)]);
    expect(code).toBe('place/locked');
  });

  it('refuses a passkey without PRF, and is told of one that is declined', async () => {
    await browser.replaceProvider({ hasPrf: false });
    await openPage();
    const [without] = await Promise.all([codeOf(createPasskey(relay.credentials, party, 'Ada')), agree(1)]);
    expect(without).toBe('input/unsupported');
    await browser.replaceProvider({ agrees: false });
    const [declined] = await Promise.all([codeOf(createPasskey(relay.credentials, party, 'Ada')), giveUp()]);
    expect(declined).toBe('place/locked');
  });
});

describe('whoever listens at the port next', () => {
  const party = { id: 'localhost', name: 'Keepset' };
  const servers: Server[] = [];
  afterEach(() => servers.splice(0).forEach((server) => server.close()));

  /** A question is on screen when another user of the computer ends the command and takes its port. */
  const takePort = async (got: Buffer[]): Promise<Uint8Array> => {
    await browser.replaceProvider();
    const relay = await openRelay({ title: 'Test', steps: [] });
    const { credentials, port, code } = relay;
    await browser.page.goto(`http://localhost:${port}/#${code}`);
    const made = createPasskey(credentials, party, 'Ada');
    await agree(1);
    const passkey = browserPasskey(credentials, party, await made);
    const identity = openingKeyOf(await generateIdentity());
    const [sealed] = await Promise.all([sealIdentityToPasskey(identity, passkey), agree(2)]);
    const opening = codeOf(openIdentityWithPasskey(sealed, passkey));
    await browser.page.locator('#use:enabled').waitFor();
    const origin = `http://localhost:${port}`;
    const headers = { origin, authorization: 'Bearer aaaaaaaa' };
    for (let i = 0; i < 5; i += 1) await fetch(`${origin}/next`, { method: 'POST', headers });
    expect(await opening).toBe('place/unreachable');
    await relay.close('failed');
    for (const host of ['127.0.0.1', '::1']) {
      const server = createServer((incoming, response) => {
        const parts: Buffer[] = [];
        incoming.on('data', (part: Buffer) => parts.push(part));
        incoming.on('end', () => {
          got.push(Buffer.concat(parts));
          response.end('{"end":"done"}');
        });
      });
      servers.push(server);
      await new Promise<void>((done) => server.on('error', () => done()).listen(port, host, done));
    }
    return sealed;
  };

  it('is asked and told nothing: the page has seen the end', async () => {
    const got: Buffer[] = [];
    await takePort(got);
    await pageSays('The command is not waiting any more');
    expect(await browser.page.locator('button:visible').count()).toBe(0);
    expect(got).toEqual([]);
  });

  it('reads no answer, even if the page has not seen the end', async () => {
    await browser.page.route('**/gone', () => undefined);
    const got: Buffer[] = [];
    const sealed = await takePort(got);
    await browser.page.locator('#use').click();
    await pageSays('Done');
    expect(got.map(({ length }) => length)).toEqual([65 + 64 + 16]);
    const bytes = new Uint8Array(got[0] ?? []);
    for (let at = 0; at + 64 <= bytes.length; at += 1) {
      const values = [bytes.slice(at, at + 32), bytes.slice(at + 32, at + 64)] as const;
      const evaluate = (): Promise<typeof values> => Promise.resolve(values);
      expect(await codeOf(openIdentityWithPasskey(sealed, { evaluate }))).toBe('place/locked');
    }
    await browser.page.unroute('**/gone');
  });
});
