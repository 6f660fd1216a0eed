/**
 * Who recovers a key may be cut off anywhere: on each way the command dies at each of its moments, and then the user does
 * what spec/recovery.md says. KEEPSET_EVERY_MOMENT=1 goes through all of them; by default it is a sample that differs from
 * commit to commit.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { toHex } from '@keepset/bytes';
import { homePaths } from '../../apps/cli/src/home/paths.ts';
import { loadLedger, newestWritten, type LedgerKit } from '../../apps/cli/src/places/ledger.ts';
import { loadRecords } from '../../apps/cli/src/home/recovery-record.ts';
import { openAll } from '../../apps/cli/src/recovery/source.ts';
import { silentTerminal } from '../support/device.ts';
import { filesIn, hashesOf, projectRoot, temporaryFolder } from '../support/folders.ts';
import { command, newLife, type Life } from '../support/mortal.ts';
import { bin, firstLine, folderOptions, run, start } from '../support/processes.ts';
import { ways, type Built, type Facts, type Way } from '../support/recovery-ways.ts';
import { isEvery, placesIn } from '../support/sample.ts';
import { serverWays } from '../support/server-ways.ts';
import {
  copyScene,
  expectNoSignature,
  expectSignature,
  openScene,
  pathIn,
  tried,
  type Scene,
} from '../support/scene.ts';

// Many runs: on a busy machine they take their time.
vi.setConfig({ testTimeout: isEvery ? 3_600_000 : 600_000, hookTimeout: 600_000 });

const begin = async (way: Way, scene: Scene, facts: Facts, life: Life): Promise<void> => {
  const others = newLife();
  if (way.together === undefined) await command(way.args(scene, facts), life).ended;
  else await way.together(scene, facts, life, others);
  if (life.isDead()) others.die();
};

/** What the server holds of the key. */
const epochAtServer = ({ data }: Scene, keyId: string): number | undefined => {
  const database = new DatabaseSync(join(data, 'keepset.db'), { readOnly: true });
  const row = database.prepare('SELECT epoch FROM keys WHERE key_id = ?').get(keyId);
  database.close();
  return row === undefined ? undefined : Number(row['epoch']);
};

const mediaOf = (root: string): readonly string[] =>
  ['copy', 'cloud', 'old-copy'].map((name) => pathIn(root, name)).filter((path) => existsSync(path));

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
  const { keyId } = facts;
  const shares = join(scene.at(way.home), 'shares');
  const names = existsSync(shares) ? readdirSync(shares) : [];
  const own = names.flatMap((name) => (name.startsWith(`${keyId}.`) ? [Number(name.split('.')[1])] : []));
  const found = await expectReadable(scene, facts);
  await expectTrue(scene, scene.at(way.home), template);
  // Without any copy it is the others who have it.
  if (way.isCopyRefused !== true && way.old !== undefined) return;
  expect(Math.max(...own, ...found)).toBeGreaterThanOrEqual(epochAtServer(scene, keyId) ?? 0);
};

/** In the end: one epoch everywhere, the key signs, what is old is refused, and nothing lies about. */
const expectWhole = async (way: Way, scene: Scene, facts: Built, template: string): Promise<void> => {
  const { keyId, pem } = facts;
  const home = scene.at(way.home);
  const paths = homePaths({ home });
  await expectSignature(home, keyId, pem);
  const epoch = epochAtServer(scene, keyId);
  expect(way.epochs).toContain(epoch);
  expect(readdirSync(paths.shares).map((name) => name.replace(/\.\d+\.age$/, ''))).toEqual([
    `${keyId}.${epoch}`,
  ]);
  expect(await loadRecords(paths)).toEqual([]);
  expect(filesIn(paths.journal).filter((file) => !file.endsWith('.tmp'))).toEqual([]);
  await expectReadable(scene, facts);
  // Each medium is known once, and holds the newest copy, of which the server knows.
  const ledger = await expectTrue(scene, home, template);
  const media = mediaOf(scene.at('')).filter((path) => basename(path) !== 'old-copy');
  expect(ledger.map(({ path = '' }) => path).toSorted()).toEqual(media.toSorted());
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
  if (existsSync(scene.at('laptop'))) await expectSignature(scene.at('laptop'), keyId, pem);
};

/** Neither the old device nor an old copy is of use to anyone. */
const expectOldRefused = async (way: Way, scene: Scene, { keyId, code }: Built): Promise<void> => {
  if (way.old !== undefined) await expectNoSignature(scene.at(way.old), keyId);
  if (way.isCopyRefused !== true) return;
  const again = ['recover', '--lost', '--from', scene.at('old-copy'), '--code', code];
  const invited = ['--invite', await scene.invite(keyId), '--home', scene.at('other')];
  expect(await tried([...again, ...invited])).toBe('place/stale');
};

const newestAtServer = ({ data }: Scene, kit: string): string => {
  const database = new DatabaseSync(join(data, 'keepset.db'), { readOnly: true });
  const row = database
    .prepare('SELECT sha256 FROM kits WHERE kit = ? ORDER BY epoch DESC, generation DESC')
    .get(kit);
  database.close();
  return row === undefined ? 'nothing' : toHex(row['sha256'] as Uint8Array);
};

/** A way with its scene. Devices remember where their sticks are: every run takes place in one and the same folder. */
interface Stage {
  readonly way: Way;
  readonly facts: Built;
  readonly root: string;
  readonly template: string;
}

const stageOf = async (way: Way): Promise<Stage> => {
  const folder = temporaryFolder();
  const [root, template] = [join(folder, 'scene'), join(folder, 'template')];
  const facts = await way.build(root);
  copyScene(root, template);
  return { way, facts, root, template };
};

/** Sets the scene up as it was before; `reset: false`: as it was left. */
const openStage = ({ way, facts, root, template }: Stage, reset = true): Promise<Scene> => {
  if (reset) copyScene(template, root);
  return openScene(root, facts.port, way.server);
};

/** Dies at each of the places, goes on and looks; every failure is told with its place. */
const dieAt = async (
  { way, facts, template }: Stage,
  moments: readonly string[],
  places: readonly number[],
  die: (at: number) => Promise<Scene>,
): Promise<void> => {
  const failures: string[] = [];
  for (const at of places) {
    const scene = await die(at);
    try {
      await expectNothingLost(way, scene, facts, template);
      await way.goOn(scene, facts, at);
      await expectWhole(way, scene, facts, template);
      if (isEvery || at === places.at(-1)) await expectOldRefused(way, scene, facts);
    } catch (error) {
      failures.push(`${at} of ${moments.length}, before ${moments[at - 1]}: ${String(error)}`);
    } finally {
      await scene.close();
    }
  }
  if (isEvery) console.log(`${way.what}: ${places.length} of ${moments.length}, ${failures.length} failed`);
  expect(failures).toEqual([]);
};

it.each([...ways, ...serverWays])('$what: cut off at any moment, it goes on', async (way) => {
  const stage = await stageOf(way);
  const rehearsal = await openStage(stage);
  const life = newLife();
  await begin(way, rehearsal, stage.facts, life);
  await rehearsal.close();
  expect(life.isDead()).toBe(false);
  const places = placesIn(way.what, life.moments, { few: way.together !== undefined });
  await dieAt(stage, life.moments, places, async (at) => {
    const scene = await openStage(stage);
    const dying = newLife(at);
    await begin(way, scene, stage.facts, dying);
    // Who waits for others asks the server more or less often, and so may be through before the last moment.
    if (way.together === undefined) expect(dying.isDead()).toBe(true);
    return scene;
  });
});

describe('real processes', () => {
  const preload = ['--import', join(projectRoot, 'tests', 'support', 'kill-at.ts'), bin];
  const [way] = ways as [Way];
  let stage: Stage;
  beforeAll(async () => {
    stage = await stageOf(way);
  });
  const linesOf = (file: string): string[] => readFileSync(file, 'utf8').split('\n');

  it('pass the same moments, and can be killed at them', async () => {
    const { facts } = stage;
    const inside = newLife();
    let scene = await openStage(stage);
    await begin(way, scene, facts, inside);
    await scene.close();
    scene = await openStage(stage);
    const file = join(temporaryFolder(), 'moments');
    const args = [...preload, ...way.args(scene, facts)];
    expect(await run(process.execPath, args, { env: { KEEPSET_MOMENTS: file } })).toMatchObject({ code: 0 });
    await scene.close();
    const moments = linesOf(file);
    expect(moments).toEqual(inside.moments);
    await dieAt(stage, moments, placesIn('killed', moments, { few: true }), async (at) => {
      const fresh = await openStage(stage);
      const ended = await run(process.execPath, args, { env: { KEEPSET_KILL_AT: String(at) } });
      expect(ended).toMatchObject({ signal: 'SIGKILL' });
      return fresh;
    });
  });

  it('the server is killed while a phone recovers', async () => {
    const { facts, root, template } = stage;
    const serve = [...preload, 'serve', '--port', String(facts.port), '--json'];
    const folders = folderOptions({ data: join(root, 'server', 'data'), kek: join(root, 'server', 'kek') });
    /** Recovers on a server process; whether that worked. */
    const onServer = async (env: Record<string, string>, work: boolean): Promise<boolean> => {
      copyScene(template, root);
      const server = start(process.execPath, [...serve, ...folders], { env });
      await firstLine(server);
      const scene = { at: (name: string) => pathIn(root, name) };
      const found = work ? await tried(way.args(scene as Scene, facts)) : {};
      server.child.kill('SIGTERM');
      await server.ended;
      if (typeof found === 'string') expect(found).toMatch(/^(transport\/unreachable|store\/session-void)$/);
      return typeof found !== 'string';
    };
    const [idle, busy] = ['idle', 'busy'].map((name) => join(temporaryFolder(), name)) as [string, string];
    await onServer({ KEEPSET_MOMENTS: idle }, false);
    expect(await onServer({ KEEPSET_MOMENTS: busy }, true)).toBe(true);
    const [alone, moments] = [linesOf(idle), linesOf(busy)];
    const started = alone.findIndex((moment, i) => moment !== moments[i]);
    const worked: boolean[] = [];
    const places = placesIn('server', moments, { passed: started < 0 ? alone.length : started });
    await dieAt(stage, moments, places, async (at) => {
      worked.push(await onServer({ KEEPSET_KILL_AT: String(at) }, true));
      return openStage(stage, false);
    });
    expect(worked).toContain(false);
  });
});
