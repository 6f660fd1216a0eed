/**
 * Who recovers a key may be cut off anywhere: on each way the command dies at each of its moments, and then the user does
 * what spec/recovery.md says. KEEPSET_EVERY_MOMENT=1 goes through all of them; by default it is a sample that differs from
 * commit to commit.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { toHex } from '@keepset/bytes';
import { homePaths } from '../../apps/cli/src/home/paths.ts';
import { loadLedger, newestWritten, type LedgerKit } from '../../apps/cli/src/places/ledger.ts';
import { loadRecords } from '../../apps/cli/src/recovery/record.ts';
import { openAll } from '../../apps/cli/src/recovery/source.ts';
import { silentTerminal } from '../support/device.ts';
import { temporaryFolder } from '../support/folders.ts';
import { command, newLife, type Life } from '../support/mortal.ts';
import { ways, type Built, type Facts, type Way } from '../support/recovery-ways.ts';
import {
  copyFolder,
  expectNoSignature,
  expectSignature,
  filesIn,
  openScene,
  tried,
  type Scene,
} from '../support/scene.ts';

// Many runs: on a busy machine they take their time.
vi.setConfig({ testTimeout: 3_600_000, hookTimeout: 600_000 });

const isEvery = process.env['KEEPSET_EVERY_MOMENT'] === '1';

const begin = async (way: Way, scene: Scene, facts: Facts, life: Life): Promise<void> => {
  const others = newLife();
  if (way.together === undefined) await command(way.args(scene, facts), life).ended;
  else await way.together(scene, facts, life, others);
  if (life.isDead()) others.die();
};

/** What the server holds of the key. */
const epochAtServer = ({ data }: Scene, keyId: string): number => {
  const database = new DatabaseSync(join(data, 'keepset.db'), { readOnly: true });
  const row = database.prepare('SELECT epoch FROM keys WHERE key_id = ?').get(keyId);
  database.close();
  return Number(row?.['epoch']);
};

const sha256 = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');
const hashesOf = (...folders: readonly string[]): ReadonlySet<string> =>
  new Set(folders.flatMap(filesIn).map(sha256));

const mediaOf = (root: string): readonly string[] =>
  ['copy', 'cloud', 'old-copy'].map((name) => join(root, name)).filter((path) => existsSync(path));

/** Each medium opens with its code; the epochs that were found. */
const expectReadable = async (scene: Scene, { keyId, code, said }: Facts): Promise<readonly number[]> => {
  const epochs: number[] = [];
  for (const path of mediaOf(scene.at(''))) {
    const codes = [code, said].filter((each) => each.startsWith('AGE-SECRET-KEY-'));
    const source = { paths: [path], codes, passphrase: undefined, kit: undefined };
    const { found } = await openAll(source, silentTerminal);
    expect(found.length).toBeGreaterThan(0);
    for (const { opened } of found) {
      opened.share.secret.wipe();
      expect(opened.share.group.keyId).toBe(keyId);
      epochs.push(opened.share.group.epoch);
    }
  }
  return epochs;
};

/** What is noted as written was written, and no more is claimed of a copy than somebody saw. */
const expectTrue = async (scene: Scene, home: string, template: string): Promise<readonly LedgerKit[]> => {
  const ledger = await loadLedger(homePaths({ home }));
  const lying = hashesOf(...mediaOf(scene.at('')), ...mediaOf(template));
  for (const { kind, copies } of ledger)
    for (const { state, sha256: hash, epoch, readBackAt, openedAt, provenAt } of copies) {
      expect(provenAt).toBeUndefined();
      if (state === 'intended') expect([readBackAt, openedAt]).toEqual([undefined, undefined]);
      // Only the copy that was recovered from was ever opened, and none was taken out and put in again.
      if (epoch > 0) expect([openedAt, state === 'verified']).toEqual([undefined, false]);
      if (state === 'written' && kind === 'usb') expect(readBackAt).toBeUndefined();
      if (state !== 'intended') expect(lying).toContain(toHex(hash));
    }
  return ledger;
};

/** At the moment of death: a share that the server takes is somewhere, and every copy opens. */
const expectNothingLost = async (way: Way, scene: Scene, facts: Built, template: string): Promise<void> => {
  const epoch = epochAtServer(scene, facts.keyId);
  const shares = join(scene.at(way.home), 'shares');
  const own = existsSync(shares) ? readdirSync(shares) : [];
  const isOwn = own.some((name) => name.startsWith(`${facts.keyId}.${epoch}.`));
  const found = await expectReadable(scene, facts);
  expect({ epoch, own, found, isSomewhere: isOwn || found.includes(epoch) || way.together !== undefined }).toMatchObject({
    isSomewhere: true,
  });
  await expectTrue(scene, scene.at(way.home), template);
};

/** In the end: one epoch everywhere, the key signs, what is old is refused, and nothing lies about. */
const expectWhole = async (way: Way, scene: Scene, facts: Built, template: string): Promise<void> => {
  const { keyId, pem, code } = facts;
  const home = scene.at(way.home);
  const paths = homePaths({ home });
  await expectSignature(home, keyId, pem);
  const epoch = epochAtServer(scene, keyId);
  expect(way.epochs).toContain(epoch);
  expect(readdirSync(paths.shares).map((name) => name.replace(/\.\d+\.age$/, ''))).toEqual([`${keyId}.${epoch}`]);
  expect(await loadRecords(paths)).toEqual([]);
  expect(filesIn(paths.journal).filter((file) => !file.endsWith('.tmp'))).toEqual([]);
  await expectReadable(scene, facts);
  // Each medium is known once, and holds the newest copy, of which the server knows.
  const ledger = await expectTrue(scene, home, template);
  const media = mediaOf(scene.at('')).filter((path) => basename(path) !== 'old-copy');
  expect(ledger.map((kit) => kit.path).toSorted()).toEqual(media.toSorted());
  for (const kit of ledger) {
    const newest = newestWritten(kit);
    expect(newest).toMatchObject({ epoch });
    expect(hashesOf(kit.path ?? '')).toContain(toHex(newest?.sha256 ?? new Uint8Array(0)));
    expect(newestAtServer(scene, kit.kit)).toBe(toHex(newest?.sha256 ?? new Uint8Array(0)));
  }
  for (const file of filesIn(home)) {
    if (!file.endsWith('.tmp')) continue;
    expect(file).not.toContain(paths.shares);
    expect(readFileSync(file, 'latin1')).not.toMatch(/AGE-SECRET-KEY-|signing key/);
  }
  if (way.old !== undefined) await expectNoSignature(scene.at(way.old), keyId);
  if (way.isCopyRefused !== true) return;
  const again = ['recover', '--lost', '--from', scene.at('old-copy'), '--code', code];
  const invited = ['--invite', await scene.invite(keyId), '--home', scene.at('other')];
  expect(await tried([...again, ...invited])).toBe('place/stale');
};

const newestAtServer = ({ data }: Scene, kit: string): string => {
  const database = new DatabaseSync(join(data, 'keepset.db'), { readOnly: true });
  const row = database.prepare('SELECT sha256 FROM kits WHERE kit = ?').get(kit);
  database.close();
  return row === undefined ? 'nothing' : toHex(row['sha256'] as Uint8Array);
};

describe.each(ways)('$what', (way) => {
  let root: string;
  let template: string;
  let facts: Built;
  beforeAll(async () => {
    const folder = temporaryFolder();
    // Devices remember where their sticks are: every run takes place in one and the same folder.
    [root, template] = [join(folder, 'scene'), join(folder, 'template')];
    facts = await way.build(root);
    copyFolder(root, template);
  });

  const fresh = (): Promise<Scene> => {
    copyFolder(template, root);
    return openScene(root, facts.port, way.server);
  };

  it('cut off at any moment', async () => {
    const rehearsal = await fresh();
    const life = newLife();
    await begin(way, rehearsal, facts, life);
    await way.goOn(rehearsal, facts, 0);
    await expectWhole(way, rehearsal, facts, template);
    await rehearsal.close();
    const { moments } = life;
    const failures: string[] = [];
    for (const at of isEvery ? moments.map((_, i) => i + 1) : [...new Set([1, ...Array.from({length: Number(process.env["KS_N"] ?? 6)}, (_, i) => Math.ceil(((i + 1) * moments.length) / Number(process.env["KS_N"] ?? 6)))])]) {
      const scene = await fresh();
      try {
        const dying = newLife(at);
        await begin(way, scene, facts, dying);
        expect(dying.isDead()).toBe(true);
        await expectNothingLost(way, scene, facts, template);
        await way.goOn(scene, facts, at);
        await expectWhole(way, scene, facts, template);
      } catch (error) {
        failures.push(`${at} of ${moments.length}, before ${moments[at - 1]}: ${String(error)}`);
      }
      await scene.close();
    }
    console.log(way.what, moments.length, failures.length);
    expect(failures).toEqual([]);
  });
});
