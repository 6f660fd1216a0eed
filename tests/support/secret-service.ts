/** A real Secret Service for one test file: GNOME Keyring on a message bus of its own, away from the user's. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { temporaryFolder } from './folders.ts';
import { start, untilSaid, type Running } from './processes.ts';

/** A running Secret Service. */
export interface SecretService {
  /** Runs `secret-tool` against it, and writes down its arguments. */
  readonly command: string;
  /** The arguments of all calls so far. */
  readonly log: () => string;
  /** A command like {@link command} that looks for the service at another address. */
  at(address: string): string;
  readonly address: string;
  lock(): void;
  /** Starts it anew, unlocked. */
  unlock(): Promise<void>;
  /** Takes everything of Keepset's out of it. */
  clear(): void;
}

/** A bus that starts no service by itself: a second keyring, a locked one, could else be there before the first. */
const busConfig = (folder: string): string => `<!DOCTYPE busconfig PUBLIC
  "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:dir=${folder}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
`;

/** Starts one. It ends with the test file. */
export const startSecretService = async (): Promise<SecretService> => {
  const folder = temporaryFolder();
  const runtime = join(folder, 'run');
  mkdirSync(runtime, { mode: 0o700 });
  // Without a display: what is locked is refused at once, and nobody is asked.
  const nobody = { DISPLAY: '', WAYLAND_DISPLAY: '' };
  const config = join(folder, 'bus.conf');
  writeFileSync(config, busConfig(runtime));
  const options = [`--config-file=${config}`, '--nofork', '--nopidfile', '--print-address=1'];
  const bus = start('dbus-daemon', options, { env: nobody });
  await untilSaid(bus, 'guid=', 'stdout');
  const address = bus.stdout().trim();
  const env = {
    ...nobody,
    DBUS_SESSION_BUS_ADDRESS: address,
    XDG_DATA_HOME: join(folder, 'data'),
    XDG_RUNTIME_DIR: runtime,
  };
  const run = (command: string, args: readonly string[]): string => {
    const { error, stdout } = spawnSync(command, args, { env: { ...process.env, ...env }, encoding: 'utf8' });
    if (error !== undefined) throw error;
    return stdout;
  };
  let keyring: Running | undefined;
  const unlock = async (): Promise<void> => {
    keyring?.child.kill('SIGKILL');
    await keyring?.ended;
    const control = `--control-directory=${join(runtime, 'keyring')}`;
    const options = ['--components=secrets', '--unlock', '--foreground', control];
    keyring = start('gnome-keyring-daemon', options, { env, input: 'passphrase' });
    // It says what its address is before it is on the bus.
    while (!run('dbus-send', isLoginLocked).includes('boolean false')) {
      if (keyring.child.exitCode !== null) throw new Error(`the keyring ended: ${keyring.stderr()}`);
      await setTimeout(20);
    }
  };
  await unlock();
  const log = join(folder, 'log');
  writeFileSync(log, '');
  let scripts = 0;
  const at = (place: string): string => {
    const command = join(folder, `secret-tool-${(scripts += 1)}`);
    writeFileSync(
      command,
      `#!/bin/sh\necho "$@" >> '${log}'\nDBUS_SESSION_BUS_ADDRESS='${place}' exec secret-tool "$@"\n`,
    );
    chmodSync(command, 0o755);
    return command;
  };
  return {
    command: at(address),
    at,
    address,
    log: () => readFileSync(log, 'utf8'),
    lock: () => void run('dbus-send', lockLogin),
    unlock,
    clear: () => void run('secret-tool', ['clear', 'service', 'org.keepset']),
  };
};

const login = '/org/freedesktop/secrets/collection/login';
const toService = ['--session', '--print-reply', '--dest=org.freedesktop.secrets'];

/** @spec Secret Service API, `org.freedesktop.Secret.Service.Lock` */
const lockLogin = [
  ...toService,
  '/org/freedesktop/secrets',
  'org.freedesktop.Secret.Service.Lock',
  `array:objpath:${login}`,
];

/** @spec Secret Service API, property `Locked` of `org.freedesktop.Secret.Collection` */
const isLoginLocked = [
  ...toService,
  login,
  'org.freedesktop.DBus.Properties.Get',
  'string:org.freedesktop.Secret.Collection',
  'string:Locked',
];
