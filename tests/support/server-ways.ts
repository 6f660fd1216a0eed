/** The ways on which it is the server that is gone, or has forgotten. The laptop helps on each of them. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { loadAccount } from '../../apps/cli/src/home/account.ts';
import { homePaths } from '../../apps/cli/src/home/paths.ts';
import type { Life } from './mortal.ts';
import { copyFolder, done, errorCodeOf, openScene, signing, type Scene } from './scene.ts';
import {
  addDevice,
  duo,
  isRecovered,
  joinedByLaptop,
  withLaptop,
  type Built,
  type Facts,
  type Way,
} from './recovery-ways.ts';

const moveArgs = (home: string, invite: string): readonly string[] => [
  'recover',
  '--server-gone',
  '--invite',
  invite,
  '--home',
  home,
];

const bringArgs = (scene: Scene, approval: string): readonly string[] => [
  'recover',
  '--server-gone',
  '--with',
  'laptop',
  '--approval',
  approval,
  '--home',
  scene.at('phone'),
];

/** A key under two devices and a server that is gone; what happens on the next server before the way begins. */
const withoutServer =
  (prepare: (scene: Scene, key: Pick<Facts, 'keyId' | 'pem'>) => Promise<Partial<Facts>>) =>
  async (root: string): Promise<Built> => {
    const gone = await openScene(root);
    const key = await duo(gone);
    await gone.close();
    const scene = await openScene(root, 0, 'next-server');
    const more = await prepare(scene, key);
    await scene.close();
    return { ...key, code: '', invite: '', said: '', ...more, port: scene.port };
  };

const moveLaptop = async (scene: Scene): Promise<void> => {
  await done(moveArgs(scene.at('laptop'), await addDevice(scene.at('phone'))));
};

/** Runs the command with the laptop; once more with another approval where the first is spent. */
const untilRecovered = async (
  scene: Scene,
  { keyId, said }: Facts,
  args: (approval: string) => readonly string[],
): Promise<void> => {
  const running = joinedByLaptop(scene, args(said));
  const { code = -1, json = {} } = (await running.ended) ?? {};
  if (code === 0 && isRecovered(json)) return;
  if (errorCodeOf(json) !== 'policy/forbidden') throw new Error(JSON.stringify(json));
  await withLaptop(scene, args(await scene.approve(keyId, 'adopt')));
};

const together =
  (way: () => Way) =>
  async (scene: Scene, facts: Facts, life: Life, others: Life): Promise<void> => {
    await joinedByLaptop(scene, way().args(scene, facts), life, others).ended;
  };

const moved: Way = {
  what: 'the server is gone, the device moves',
  server: 'next-server',
  build: withoutServer((scene) => Promise.resolve({ invite: scene.server.invite() })),
  args: (scene, { invite }) => moveArgs(scene.at('phone'), invite),
  goOn: async (scene, facts) => {
    const { root, account } = homePaths({ home: scene.at('phone') });
    await done(moved.args(scene, facts));
    expect((await loadAccount(account)).server).toBe(scene.server.url);
    // What it knew of the old server lies beside that.
    const kept = readdirSync(root).filter((name) => name.startsWith('account.cbor.before-'));
    expect(kept).toHaveLength(1);
    expect((await loadAccount(join(root, kept[0] ?? ''))).server).not.toBe(scene.server.url);
    await moveLaptop(scene);
    await withLaptop(scene, bringArgs(scene, await scene.approve(facts.keyId, 'adopt')));
  },
  home: 'phone',
  epochs: [1],
};

const brought: Way = {
  what: 'the server is gone, the key follows',
  server: 'next-server',
  build: withoutServer(async (scene, { keyId }) => {
    await done(moveArgs(scene.at('phone'), scene.server.invite()));
    await moveLaptop(scene);
    return { said: await scene.approve(keyId, 'adopt') };
  }),
  args: (scene, { said }) => bringArgs(scene, said),
  together: together(() => brought),
  goOn: (scene, facts) => untilRecovered(scene, facts, (approval) => bringArgs(scene, approval)),
  home: 'phone',
  epochs: [1],
};

const restoredArgs = (scene: Scene, { invite: head }: Facts, approval: string): readonly string[] => [
  'recover',
  '--server-restored',
  '--log-head',
  head,
  '--home',
  scene.at('phone'),
  ...(approval === '' ? [] : ['--with', 'laptop', '--approval', approval]),
];

/** A server that is put back to before something was done. The head of its log is in the place of an invitation. */
const restored =
  (what: (scene: Scene) => Promise<unknown>, after: (scene: Scene, facts: Facts) => Promise<string>) =>
  async (root: string): Promise<Built> => {
    const first = await openScene(root);
    const key = await duo(first);
    await first.close();
    copyFolder(first.data, join(root, 'backup'));
    const second = await openScene(root, first.port);
    await what(second);
    await second.close();
    copyFolder(join(root, 'backup'), first.data);
    const scene = await openScene(root, first.port);
    const operator = ['--data', scene.data, '--kek', join(root, 'server', 'kek')];
    const invite = String((await done(['log-head', ...operator]))['head']);
    const facts = { ...key, code: '', invite, said: '' };
    const said = await after(scene, facts);
    await scene.close();
    return { ...facts, said, port: scene.port };
  };

const behind: Way = {
  what: 'the server has forgotten its log',
  build: restored(
    (scene) => done(signing(scene.at('phone'))),
    () => Promise.resolve(''),
  ),
  args: (scene, facts) => restoredArgs(scene, facts, ''),
  together: together(() => behind),
  goOn: async (scene, facts) => {
    await withLaptop(scene, behind.args(scene, facts));
  },
  home: 'phone',
  // Whoever was cut off after the refresh runs another one.
  epochs: [1, 2],
};

const adopted: Way = {
  what: 'the server has forgotten a refresh',
  build: restored(
    (scene) => withLaptop(scene, ['refresh', '--home', scene.at('phone')]),
    async (scene, { keyId, invite }) => {
      await done(['accept-log', invite, '--yes', '--home', scene.at('laptop')]);
      return scene.approve(keyId, 'adopt');
    },
  ),
  args: (scene, facts) => restoredArgs(scene, facts, facts.said),
  together: together(() => adopted),
  goOn: (scene, facts) => untilRecovered(scene, facts, (approval) => restoredArgs(scene, facts, approval)),
  home: 'phone',
  epochs: [2, 3],
};

/** Ways on which the server is another one than before. */
export const serverWays: readonly Way[] = [moved, brought, behind, adopted];
