// The programs that tests check our work against. They are not ours and not on npm. Plain JavaScript.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

/** Where a browser that passkeys are tested in may be. */
const browsers = JSON.parse(readFileSync(new URL('browsers.json', import.meta.url), 'utf8'));

/**
 * Command → Debian package and Homebrew formula; without a formula it is used on Linux only. `at`: paths of programs, each of
 * which is enough.
 */
const tools = {
  'ssh-keygen': { apt: 'openssh-client', brew: 'openssh' },
  openssl: { apt: 'openssl', brew: 'openssl@3' },
  age: { apt: 'age', brew: 'age' },
  pdftoppm: { apt: 'poppler-utils', brew: 'poppler' },
  mcopy: { apt: 'mtools', brew: 'mtools' },
  'mkfs.fat': { apt: 'dosfstools', brew: 'dosfstools' },
  'fsck.exfat': { apt: 'exfatprogs', brew: 'exfatprogs' },
  'gnome-keyring-daemon': { apt: 'gnome-keyring' },
  'secret-tool': { apt: 'libsecret-tools' },
  'dbus-daemon': { apt: 'dbus-daemon' },
  'dbus-send': { apt: 'dbus-bin' },
  go: { apt: 'golang-go golang-golang-x-mod-dev', brew: 'go' },
  // An empty formula: on a Mac it is an application that people install themselves.
  'chromium or Google Chrome': { apt: 'chromium', brew: '', at: browsers },
};

const isInstalled = ([command, { at }]) => (at === undefined ? isThere(command) : at.some(existsSync));

const isThere = (command) => {
  const finder = process.platform === 'win32' ? 'where' : 'which';
  return spawnSync(finder, [command], { stdio: 'ignore' }).status === 0;
};

/** What it could not do is told by the program itself, and by what is still missing afterwards. */
const run = (command, args) =>
  spawnSync(command, args, {
    stdio: ['ignore', 2, 2],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });

/** Installs what is missing where that needs no question; otherwise says what to install and ends the process. */
export const ensureSystemTools = () => {
  const needed = Object.entries(tools).filter(
    ([, { brew }]) => process.platform === 'linux' || brew !== undefined,
  );
  const missing = needed.filter((tool) => !isInstalled(tool));
  if (missing.length === 0) return;
  const packages = (manager) => missing.flatMap(([, names]) => names[manager].split(' ').filter(Boolean));
  process.stderr.write(
    `Installing programs the tests check against: ${missing.map(([command]) => command).join(', ')}…\n`,
  );
  const isRoot = process.getuid?.() === 0;
  const canSudo =
    !isRoot && isThere('sudo') && spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0;
  if (isThere('apt-get') && (isRoot || canSudo)) {
    const [command, ...prefix] = isRoot ? ['apt-get'] : ['sudo', '-n', 'apt-get'];
    run(command, [...prefix, 'update', '-qq']);
    run(command, [...prefix, 'install', '-y', '-qq', '--no-install-recommends', ...packages('apt')]);
  } else if (isThere('brew') && packages('brew').length > 0) run('brew', ['install', ...packages('brew')]);
  const still = needed.flatMap((tool) => (isInstalled(tool) ? [] : tool[0]));
  if (still.length === 0) return;
  process.stderr.write(
    `Please install ${still.join(', ')} (Debian: ${packages('apt').join(' ')}) and run npm test again.\n`,
  );
  process.exit(1);
};
