/** Who makes the home of a device before its owner does gets neither keys nor a share. */
import { chmodSync, existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startServer, type RunningServer } from '@keepset/server';
import { enrolHome } from '../../apps/cli/src/home/enrol.ts';
import { homePaths } from '../../apps/cli/src/home/paths.ts';
import { ensureEnrolled } from '../../apps/cli/src/recovery/enrolled.ts';
import { newDevice, silentTerminal } from '../support/device.ts';
import { temporaryFolder } from '../support/folders.ts';
import { code } from '../support/meeting.ts';
import { watchMoments } from '../support/moments.ts';
import { serverOptions } from '../support/server.ts';

let server: RunningServer;
let atMkdir: (() => void) | undefined;
beforeAll(async () => {
  server = await startServer(serverOptions());
  await watchMoments((name) => {
    if (name !== 'fs.mkdir') return undefined;
    atMkdir?.();
    atMkdir = undefined;
    return undefined;
  });
});
afterAll(() => server.close());

it.each([
  {
    what: 'a folder that all may write to',
    make: (home: string) => {
      mkdirSync(home);
      chmodSync(home, 0o777);
    },
  },
  {
    what: 'a link to a folder of theirs',
    make: (home: string) => {
      const theirs = join(dirname(home), 'theirs');
      mkdirSync(theirs);
      symlinkSync(theirs, home);
    },
  },
])('made between the look and the making: $what', async ({ make }) => {
  const home = join(temporaryFolder(), 'home');
  atMkdir = () => make(home);
  const paths = homePaths({ home });
  expect(await code(enrolHome(paths, server.invite(), 'phone', undefined))).toBe('place/foreign');
  expect(atMkdir).toBeUndefined();
  expect([existsSync(home), readdirSync(home)]).toEqual([true, []]);
});

it('with an account in it, while the owner of a copy was asked whether to go on', async () => {
  const theirs = await newDevice(server.invite());
  theirs.close();
  chmodSync(theirs.home, 0o777);
  const invocation = { positionals: [], options: { home: theirs.home }, terminal: silentTerminal };
  expect(await code(ensureEnrolled(invocation, theirs.paths, 'phone'))).toBe('place/foreign');
  chmodSync(theirs.home, 0o700);
  expect(await code(ensureEnrolled(invocation, theirs.paths, 'phone'))).toBe('no error');
});
