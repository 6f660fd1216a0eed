/** Whether a device of a world signs: OpenSSL judges what it makes, and what counts no more is refused. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { joining, succeed, together, type Device } from './commands.ts';
import { keepset, run, type Ended } from './processes.ts';
import type { World } from './world.ts';

/** A file with something to sign, in a folder of its own. */
export const fileToSign = (world: World): string => {
  const file = join(world.folder('to-sign'), 'file');
  writeFileSync(file, 'what is signed');
  return file;
};

/** A command by which the device signs something with a key. */
export const signing = (world: World, { args }: Device, keyId: string): readonly string[] => [
  'sign',
  fileToSign(world),
  '--as',
  'raw',
  '--key',
  keyId,
  ...args,
];

/** The device signs, and OpenSSL accepts it under the public key that the key always had. */
export const expectSigns = async (world: World, { args }: Device, publicKey: string): Promise<void> => {
  const file = fileToSign(world);
  await succeed(['sign', file, '--as', 'raw', '--out', `${file}.sig`, ...args]);
  await expectValid(file, publicKey);
};

/** Two devices sign together with the server, and OpenSSL accepts it. */
export const expectSignsTogether = async (
  world: World,
  { args }: Device,
  [party, other]: readonly [party: string, device: Device],
  publicKey: string,
): Promise<void> => {
  const file = fileToSign(world);
  const sign = ['sign', file, '--as', 'raw', '--with', party, '--out', `${file}.sig`, ...args];
  await together(sign, { [party]: joining(other, file, '--as', 'raw') });
  await expectValid(file, publicKey);
};

/** OpenSSL accepts the signature beside a file, under a public key. @param publicKey as PEM */
export const expectValid = async (file: string, publicKey: string): Promise<void> => {
  const pem = `${file}.pem`;
  writeFileSync(pem, publicKey);
  const args = ['-verify', '-pubin', '-inkey', pem, '-sigfile', `${file}.sig`, '-in', file];
  const { stdout, stderr } = await openssl(args, publicKey);
  expect(stdout + stderr).toContain('Verified Successfully');
};

/** `openssl pkeyutl` over a message; Ed25519 is told by the length of its public key. */
export const openssl = (args: readonly string[], publicKey: string): Promise<Ended> =>
  run('openssl', ['pkeyutl', '-rawin', ...(isEd25519(publicKey) ? [] : ['-digest', 'sha256']), ...args]);

const isEd25519 = (pem: string): boolean => pem.replace(/-----[^-]+-----|\s/g, '').length < 80;

/** A share that once counted counts no more: the server refuses it, and nothing is signed. */
export const expectUseless = async (world: World, device: Device, keyId: string): Promise<void> => {
  const ended = await keepset([...signing(world, device, keyId), '--json']);
  expect(ended.code).not.toBe(0);
  expect(ended.stdout).toMatch(/abort\/wrong-epoch|policy\/revoked/);
};
