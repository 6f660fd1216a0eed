/** A device inside the test's own process: a real home folder and the real HTTP transport. */
import { readFileSync } from 'node:fs';
import { openFilePlace } from '@keepset/places';
import { softwareSigner, type MessageSigner } from '@keepset/transport';
import { decodeIdentityFile } from '@keepset/wire';
import { enrolHome } from '../../apps/cli/src/home/enrol.ts';
import { openDevice, type OpenDevice } from '../../apps/cli/src/home/device.ts';
import { homePaths, type HomePaths } from '../../apps/cli/src/home/paths.ts';
import type { Terminal } from '../../apps/cli/src/terminal/terminal.ts';
import { temporaryFolder } from './folders.ts';

/** A terminal nobody looks at. */
export const silentTerminal: Terminal = {
  json: true,
  canAsk: false,
  result: () => undefined,
  note: () => undefined,
  progress: () => undefined,
  askYesNo: () => Promise.resolve(false),
  askSecret: () => Promise.reject(new Error('nobody is there')),
};

/** An enrolled device. */
export interface TestDevice extends OpenDevice {
  readonly home: string;
  readonly paths: HomePaths;
  /** Signs requests with the device's own key. */
  readonly signer: MessageSigner;
}

/** Opens an enrolled home. */
export const openHome = async (home: string): Promise<TestDevice> => {
  const paths = homePaths({ home });
  const open = await openDevice({ home }, silentTerminal);
  const { signingKey } = await decodeIdentityFile(readFileSync(paths.identity));
  return { ...open, home, paths, signer: softwareSigner(signingKey) };
};

/** Enrols a new device and opens it. */
export const newDevice = async (invitation: string, party = 'phone'): Promise<TestDevice> => {
  const home = temporaryFolder();
  await enrolHome(homePaths({ home }), invitation, party, undefined);
  return openHome(home);
};

/** The names of the copies in the device's place, for looking at it from outside. */
export const copiesOf = async ({ paths }: TestDevice): Promise<readonly string[]> =>
  (await (await openFilePlace(paths.shares)).list()).map(({ keyId, state }) => `${keyId} ${state}`);
