/**
 * All that takes part in a recovery, in one folder that can be copied: the server's data, devices' homes, sticks. Each run
 * of a test begins from a copy of it, with a server of its own at the same address.
 */
import { createPublicKey, verify } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { createApproval, createInvite, startServer, type RunningServer } from '@keepset/server';
import { otherMedium, temporaryFolder } from './folders.ts';
import { command } from './mortal.ts';
import { serverOptions } from './server.ts';
import type { Json } from './commands.ts';

/** A folder with everybody's files, and the server that runs on it. */
export interface Scene {
  /** Folder of a device, stick or anything else. */
  readonly at: (name: string) => string;
  readonly server: RunningServer;
  readonly port: number;
  /** The server's data folder. */
  readonly data: string;
  readonly invite: (keyId?: string) => Promise<string>;
  readonly approve: (keyId: string, what?: 'change' | 'adopt') => Promise<string>;
  readonly close: () => Promise<void>;
}

/** Opens a scene. @param server which folder in it holds the server */
export const openScene = async (root: string, port = 0, server = 'server'): Promise<Scene> => {
  const options = serverOptions(join(root, server), { port });
  const running = await startServer(options);
  let closing: Promise<void> | undefined;
  return {
    at: (name) => pathIn(root, name),
    server: running,
    port: Number(new URL(running.url).port),
    data: options.dataDir,
    invite: (keyId) => createInvite({ ...options, publicUrl: running.url }, keyId),
    approve: (keyId, what = 'change') => createApproval(options, keyId, what),
    close: () => (closing ??= running.close()),
  };
};

/** Folders of a scene that are media: they lie on no device's disk. */
const media: readonly string[] = ['copy', 'old-copy'];
const shelves = new Map<string, string>();
const shelfOf = (root: string): string => {
  const shelf = shelves.get(root) ?? otherMedium();
  shelves.set(root, shelf);
  return shelf;
};

/** Where a folder of the scene in `root` lies. */
export const pathIn = (root: string, name: string): string =>
  join(media.includes(name) ? shelfOf(root) : root, name);

/** Makes a scene what another one is, media and all. */
export const copyScene = (from: string, to: string): void => {
  copyFolder(from, to);
  copyFolder(shelfOf(from), shelfOf(to));
};

/** Makes a folder what another one is. With modes: nobody else may enter a folder with shares. */
export const copyFolder = (from: string, to: string): void => {
  rmSync(to, { recursive: true, force: true });
  execFileSync('cp', ['-a', from, to]);
};

/** Runs a command that must succeed. */
export const done = async (args: readonly string[]): Promise<Json> => {
  const running = command(args);
  const ended = await running.ended;
  expect({ args: args.slice(0, 2), ...ended, said: running.said() }).toMatchObject({ code: 0 });
  return ended?.json ?? {};
};

/** Runs a command; its result, or the code of its error. */
export const tried = async (args: readonly string[]): Promise<Json | string> => {
  const { code = -1, json = {} } = (await command(args).ended) ?? {};
  return code === 0 ? json : errorCodeOf(json);
};

export const errorCodeOf = (json: Json): string => String((json['error'] as Json | undefined)?.['code']);

/** A new device of a user. */
export const enrol = (home: string, invite: string, party: string): Promise<Json> =>
  done(['enroll', invite, '--party', party, '--home', home]);

const message = 'what is signed';

/** A command that signs something. */
export const signing = (home: string, keyId = ''): readonly string[] => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'file'), message);
  return [
    'sign',
    join(folder, 'file'),
    '--as',
    'raw',
    '--out',
    join(folder, 'sig'),
    '--home',
    home,
    ...(keyId === '' ? [] : ['--key', keyId]),
  ];
};

/** The device signs, and OpenSSL accepts that under the public key. @param pem of an Ed25519 key */
export const expectSignature = async (home: string, keyId: string, pem: string): Promise<void> => {
  const args = signing(home, keyId);
  await done(args);
  const signature = readFileSync(args[args.indexOf('--out') + 1] ?? '');
  expect(verify(null, Buffer.from(message), createPublicKey(pem), signature)).toBe(true);
};

/** The server refuses what the device has. */
export const expectNoSignature = async (home: string, keyId: string): Promise<void> => {
  expect(await tried(signing(home, keyId))).toMatch(/^(abort\/wrong-epoch|policy\/revoked)$/);
};

/** A folder that is there. */
export const madeFolder = (path: string): string => {
  mkdirSync(path, { recursive: true });
  return path;
};
