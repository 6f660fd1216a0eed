/**
 * Moments of a process: just before something becomes durable, or leaves or enters it. To die at one of them is what a
 * crash can do at worst, as far as whole operations go.
 */
import type * as FileSystem from 'node:fs/promises';
import type * as Http from 'node:http';
import type * as Sqlite from 'node:sqlite';
import { createRequire, syncBuiltinESMExports } from 'node:module';

/** What happens instead of an operation, once nothing may happen any more; undefined: it takes place. */
export type Instead = { readonly value: unknown } | undefined;

/** Is told each moment. @param owner what the operation belongs to: a file, a database, a request */
export type Watcher = (name: string, owner: object) => Instead;

type Methods = Record<string, (...args: unknown[]) => unknown>;

/** Makes each of the methods a moment. */
const watch = (
  watcher: Watcher,
  owner: object,
  label: string,
  names: readonly string[],
  isMoment: (argument: unknown) => boolean = () => true,
): void => {
  const methods = owner as Methods;
  for (const name of names) {
    const original = methods[name];
    if (original === undefined) throw new Error(`${label} has no ${name}`);
    methods[name] = function watched(this: object, ...args: unknown[]) {
      const instead = isMoment(args[0]) ? watcher(`${label}.${name}`, this) : undefined;
      return instead === undefined ? original.apply(this, args) : instead.value;
    };
  }
};

/** Watches everything that happens in this process from now on. */
export const watchMoments = async (watcher: Watcher): Promise<void> => {
  const require = createRequire(import.meta.url);
  const fs = require('node:fs') as object;
  const promises = require('node:fs/promises') as typeof FileSystem;
  const sqlite = require('node:sqlite') as typeof Sqlite;
  const http = require('node:http') as typeof Http;
  watch(watcher, fs, 'fs', ['fsyncSync', 'linkSync', 'rmSync']);
  watch(watcher, promises, 'fs', ['rename', 'rm', 'unlink', 'mkdir']);
  const handle = await promises.open(process.execPath, 'r');
  watch(watcher, Object.getPrototypeOf(handle) as object, 'file', ['sync', 'writeFile', 'write']);
  await handle.close();
  const isBoundary = (sql: unknown): boolean => typeof sql === 'string' && /^(BEGIN|COMMIT)/.test(sql);
  watch(watcher, sqlite.DatabaseSync.prototype, 'database', ['exec'], isBoundary);
  watch(watcher, sqlite.StatementSync.prototype, 'database', ['run']);
  // A request before it is sent, its answer before it is read; an answer before it is sent.
  watch(watcher, http.ClientRequest.prototype, 'request', ['end']);
  watch(watcher, http.ClientRequest.prototype, 'request', ['emit'], (event) => event === 'response');
  watch(watcher, http.ServerResponse.prototype, 'response', ['end']);
  syncBuiltinESMExports();
};
