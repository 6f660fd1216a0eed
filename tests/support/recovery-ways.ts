/** The ways of recovery whose every moment somebody may be cut off at: how each begins, and what the user does then. */
import { renameSync } from 'node:fs';
import { currentShare } from '../../apps/cli/src/home/own-shares.ts';
import { homePaths } from '../../apps/cli/src/home/paths.ts';
import { command, type Command, type Life } from './mortal.ts';
import { copyFolder, done, enrol, errorCodeOf, madeFolder, openScene, tried, type Scene } from './scene.ts';
import type { Json } from './commands.ts';

/** What a scene is about. */
export interface Facts {
  readonly keyId: string;
  /** Public key as PEM. */
  readonly pem: string;
  /** Of the copy that is used. */
  readonly code: string;
  readonly invite: string;
  /** What else the operator has said: an approval, a log head. */
  readonly said: string;
}

/** A scene that was made. */
export interface Built extends Facts {
  /** Of its server. */
  readonly port: number;
}

/** One way. */
export interface Way {
  readonly what: string;
  /** Makes the scene in an empty folder; nobody is at work there afterwards. */
  readonly build: (root: string) => Promise<Built>;
  /** Which folder holds the server. */
  readonly server?: string;
  /** The command that may die. */
  readonly args: (scene: Scene, facts: Facts) => readonly string[];
  /** Runs it together with those of other devices, where it does not do all alone. */
  readonly together?: (scene: Scene, facts: Facts, life: Life, others: Life) => Promise<void>;
  /** What the user does afterwards, until all is done. @param turn which of two things to try first */
  readonly goOn: (scene: Scene, facts: Facts, turn: number) => Promise<void>;
  /** Device that has the share in the end. */
  readonly home: string;
  /** Device that lost it, whose share is worth nothing then. */
  readonly old?: string;
  /** Whether the copy, as it was, is refused then: in a recovery with a new invitation. */
  readonly isCopyRefused?: boolean;
  /** Epochs that the key may be at in the end. */
  readonly epochs: readonly number[];
}

const pemOf = async (home: string, keyId: string): Promise<string> =>
  String(((await done(['show', keyId, '--home', home]))['forms'] as Json)['pem']);

/** Somebody with a phone and a key. */
export const solo = async (scene: Scene): Promise<{ keyId: string; pem: string }> => {
  const phone = scene.at('phone');
  await enrol(phone, scene.server.invite(), 'phone');
  const keyId = String((await done(['keygen', '--home', phone]))['keyId']);
  return { keyId, pem: await pemOf(phone, keyId) };
};

/** Somebody with a phone, a laptop and a key. */
export const duo = async (scene: Scene): Promise<{ keyId: string; pem: string }> => {
  const [phone, laptop] = [scene.at('phone'), scene.at('laptop')];
  await enrol(phone, scene.server.invite(), 'phone');
  await enrol(laptop, await addDevice(phone), 'laptop');
  const policy = 'thresh(2,server,phone,laptop)';
  const { keyId } = await withLaptop(scene, ['keygen', '--policy', policy, '--home', phone]);
  return { keyId: String(keyId), pem: await pemOf(phone, String(keyId)) };
};

/** An invitation from another device of the same user. */
export const addDevice = async (home: string): Promise<string> =>
  String((await done(['add-device', '--home', home]))['invitation']);

/** Begins a command, and joins it from the laptop as soon as it asks for that. It ends when both are through. */
export const joinedByLaptop = (
  scene: Scene,
  args: readonly string[],
  life?: Life,
  others?: Life,
): Command => {
  const running = command(args, life);
  let laptop: Command | undefined;
  void running.until(/on laptop: {2}keepset join (\S+)/).then(([, code = '']) => {
    laptop = command(['join', code, '--home', scene.at('laptop')], others);
  });
  const withItsWords = async (error: unknown): Promise<never> => {
    const end = JSON.stringify(await laptop?.ended);
    throw new Error(`${String(error)}\nand the laptop:\n${laptop?.said()}${end}`);
  };
  const bothThrough = async (end: Awaited<Command['ended']>): Promise<typeof end> => {
    // The phone does not wait for the laptop’s last steps; whoever stops the server then does.
    if (end?.code === 0) await laptop?.ended;
    return end;
  };
  return { ...running, ended: running.ended.then(bothThrough, withItsWords) };
};

/** Runs such a command, which must succeed. */
export const withLaptop = async (scene: Scene, args: readonly string[]): Promise<Json> => {
  const running = joinedByLaptop(scene, args);
  const { code = -1, json = {} } = (await running.ended) ?? {};
  if (code !== 0)
    throw new Error(`${args.slice(0, 2).join(' ')}: ${JSON.stringify(json)}\n${running.said()}`);
  return json;
};

const stickOf = async (scene: Scene): Promise<string> => {
  const made = await done([
    'usb',
    'create',
    madeFolder(scene.at('copy')),
    '--show-code',
    '--home',
    scene.at('phone'),
  ]);
  return String(made['code']);
};

const cloudOf = async (scene: Scene): Promise<string> => {
  const args = ['backup', madeFolder(scene.at('copy')), '--cloud', 'icloud', '--show-code'];
  return String((await done([...args, '--home', scene.at('phone')]))['code']);
};

/** The phone goes: `old` is what its finder has, `old-copy` what somebody copied of the medium. */
const losePhone = (scene: Scene): void => {
  renameSync(scene.at('phone'), scene.at('old'));
  copyFolder(scene.at('copy'), scene.at('old-copy'));
};

/** Builds with a new server. */
export const inScene =
  (work: (scene: Scene) => Promise<Facts>) =>
  async (root: string): Promise<Built> => {
    const scene = await openScene(root);
    try {
      return { ...(await work(scene)), port: scene.port };
    } finally {
      await scene.close();
    }
  };

/** A phone that has a copy of its share, and then is gone. */
const lostPhone = async (scene: Scene, makeCopy: (scene: Scene) => Promise<string>): Promise<Facts> => {
  const key = await solo(scene);
  const code = await makeCopy(scene);
  losePhone(scene);
  return { ...key, code, invite: await scene.invite(key.keyId), said: '' };
};

/** Tries one command line, and where that has nothing to do, the other; one of them ends it. */
const eitherOf = async (
  turn: number,
  same: readonly string[],
  bare: readonly string[],
  isDone: (json: Json) => boolean,
): Promise<void> => {
  const said: unknown[] = [];
  for (const args of turn % 2 === 0 ? [same, bare] : [bare, same]) {
    const found = await tried(args);
    said.push(found);
    if (typeof found === 'string' ? !hasNothingToDo.has(found) : isDone(found)) break;
  }
  const last = said.at(-1);
  if (typeof last === 'string') throw new Error(`it does not go on: ${JSON.stringify(said)}`);
};

/** The share is back already; it is not yet; the device is not enrolled yet; no recovery has begun. */
const hasNothingToDo = new Set([
  'place/exists',
  'input/unknown-key',
  'input/not-enrolled',
  'input/invalid-argument',
]);

/** Whether that was the end. */
export const isRecovered = ({ state }: Json): boolean => state === 'recovered' || state === 'nothing-left';

const copyOptions = (scene: Scene, code: string): string[] => ['--from', scene.at('copy'), '--code', code];
const invited = (scene: Scene, invite: string): string[] => ['--invite', invite, '--home', scene.at('new')];

const fromCopy = (what: string, makeCopy: (scene: Scene) => Promise<string>): Way => {
  const args: Way['args'] = (scene, { code, invite }) => [
    'recover',
    '--lost',
    ...copyOptions(scene, code),
    ...invited(scene, invite),
  ];
  return {
    what,
    build: inScene((scene) => lostPhone(scene, makeCopy)),
    args,
    goOn: (scene, facts, turn) =>
      eitherOf(turn, args(scene, facts), ['recover', '--home', scene.at('new')], isRecovered),
    home: 'new',
    old: 'old',
    isCopyRefused: true,
    epochs: [1],
  };
};

const stolenArgs: Way['args'] = (scene, { code, invite }) => [
  'recover',
  '--stolen',
  ...copyOptions(scene, code),
  ...invited(scene, invite),
];

/** With the operator's approval, and with another one where that was spent. */
const finishStolen: Way['goOn'] = async (scene, { keyId, said }, turn) => {
  const recover = ['recover', '--home', scene.at('new')];
  const first = await tried(turn % 2 === 0 && said !== '' ? [...recover, '--approval', said] : recover);
  if (typeof first === 'string' && first !== 'policy/forbidden') throw new Error(first);
  if (typeof first !== 'string' && isRecovered(first)) return;
  const last = await done([...recover, '--approval', await scene.approve(keyId)]);
  if (!isRecovered(last)) throw new Error(JSON.stringify(last));
};

const stolen: Way = {
  what: 'a stolen phone, until it is frozen',
  build: inScene((scene) => lostPhone(scene, stickOf)),
  args: stolenArgs,
  goOn: async (scene, facts, turn) => {
    const isFrozen = ({ state, frozen }: Json): boolean => state === 'restored' && frozen === true;
    await eitherOf(turn, stolenArgs(scene, facts), ['recover', '--home', scene.at('new')], isFrozen);
    await finishStolen(scene, facts, turn);
  },
  home: 'new',
  old: 'old',
  isCopyRefused: true,
  epochs: [1],
};

const approved: Way = {
  ...stolen,
  what: 'a stolen phone, once approved',
  build: inScene(async (scene) => {
    const facts = await lostPhone(scene, stickOf);
    await done(stolenArgs(scene, facts));
    return { ...facts, said: await scene.approve(facts.keyId) };
  }),
  args: (scene, { said }) => ['recover', '--approval', said, '--home', scene.at('new')],
  goOn: finishStolen,
};

/** No copy: laptop and server repair the share, then all get new ones. */
const repaired: Way = {
  what: 'a lost phone, repaired by others',
  build: inScene(async (scene) => {
    const key = await duo(scene);
    renameSync(scene.at('phone'), scene.at('old'));
    return { ...key, code: '', invite: await addDevice(scene.at('laptop')), said: '' };
  }),
  args: (scene, { invite }) => ['recover', '--lost', '--party', 'phone', ...invited(scene, invite)],
  together: async (scene, facts, life, others) => {
    const laptop = await repairFromLaptop(scene, facts, others);
    await joinedByLaptop(scene, [...repaired.args(scene, facts), '--join', laptop], life, others).ended;
  },
  goOn: async (scene, facts) => {
    const recover = ['recover', '--home', scene.at('new')];
    const running = joinedByLaptop(scene, recover);
    const { code = -1, json = {} } = (await running.ended) ?? {};
    if (code === 0 && isRecovered(json)) return;
    if (!hasNothingToDo.has(errorCodeOf(json))) throw new Error(JSON.stringify(json));
    const again = await repairFromLaptop(scene, facts);
    const last = await withLaptop(scene, [...repaired.args(scene, facts), '--join', again]);
    if (!isRecovered(last)) throw new Error(JSON.stringify(last));
  },
  home: 'new',
  old: 'old',
  epochs: [1],
};

const repairFromLaptop = async (scene: Scene, { keyId }: Facts, life?: Life): Promise<string> => {
  const approval = await scene.approve(keyId);
  const laptop = command(['repair', 'phone', '--approval', approval, '--home', scene.at('laptop')], life);
  const [, code = ''] = await laptop.until(/on phone: {2}keepset join (\S+)/);
  return code;
};

const parkArgs =
  (name: 'park' | 'unpark'): Way['args'] =>
  (scene, { code, invite }) => [
    name,
    ...copyOptions(scene, code),
    ...(invite === '' ? [] : ['--invite', invite]),
    '--home',
    scene.at('phone'),
  ];

/** A stick that was plugged in again: only that may be parked on. */
const verifiedStickOf = async (scene: Scene): Promise<string> => {
  const code = await stickOf(scene);
  await done(['usb', 'verify', scene.at('copy'), '--replugged', '--home', scene.at('phone')]);
  return code;
};

const parked: Way = {
  what: 'park',
  build: inScene(async (scene) => {
    const key = await solo(scene);
    return { ...key, code: await verifiedStickOf(scene), invite: '', said: '' };
  }),
  args: parkArgs('park'),
  goOn: async (scene, facts) => {
    await done(parkArgs('park')(scene, facts));
    if (await currentShare(homePaths({ home: scene.at('phone') }), facts.keyId))
      throw new Error('it is still there');
    await done(parkArgs('unpark')(scene, facts));
  },
  home: 'phone',
  epochs: [0],
};

const unparked: Way = {
  ...parked,
  what: 'unpark',
  build: inScene(async (scene) => {
    const key = await solo(scene);
    const facts = { ...key, code: await verifiedStickOf(scene), invite: '', said: '' };
    await done(parkArgs('park')(scene, facts));
    return facts;
  }),
  args: parkArgs('unpark'),
  goOn: async (scene, facts) => {
    await done(parkArgs('unpark')(scene, facts));
  },
};

const unparkedAnew: Way = {
  ...unparked,
  what: 'unpark on a new computer',
  build: inScene((scene) => lostPhone(scene, stickOf)),
};

/** A refresh with two copies to be rewritten. */
const renewed: Way = {
  what: 'refresh with a stick and a folder',
  build: inScene(async (scene) => {
    const key = await solo(scene);
    const code = await stickOf(scene);
    const cloud = ['backup', madeFolder(scene.at('cloud')), '--show-code', '--home', scene.at('phone')];
    return { ...key, code, invite: '', said: String((await done(cloud))['code']) };
  }),
  args: (scene) => ['refresh', '--home', scene.at('phone')],
  // The next command goes on, whatever it is: a signature here.
  goOn: () => Promise.resolve(),
  home: 'phone',
  epochs: [0, 1],
};

/** Ways on which the server stays what it is. */
export const ways: readonly Way[] = [
  fromCopy('a lost phone, from a stick', stickOf),
  fromCopy('a lost phone, from a cloud folder', cloudOf),
  stolen,
  approved,
  repaired,
  parked,
  unparked,
  unparkedAnew,
  renewed,
];
