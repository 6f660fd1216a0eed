/**
 * Preloaded into a real process: counts the moments at which something becomes durable or leaves or enters the process,
 * and kills it without warning at the one that KEEPSET_KILL_AT names, counted from 1. On a normal end the moments are
 * written, one a line, to the file KEEPSET_MOMENTS.
 */
import type * as FileSystem from 'node:fs/promises';
import type * as Http from 'node:http';
import type * as Sqlite from 'node:sqlite';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { writeFileSync } from 'node:fs';

const end = Number(process.env['KEEPSET_KILL_AT'] ?? Infinity);
const log = process.env['KEEPSET_MOMENTS'];
const moments: string[] = [];

const pass = (name: string): void => {
  moments.push(name);
  if (moments.length === end) process.kill(process.pid, 'SIGKILL');
};

type Methods = Record<string, (...args: unknown[]) => unknown>;

/** Makes each of the methods a moment: just before it does anything. */
const watch = (
  owner: object,
  label: string,
  names: readonly string[],
  isMoment: (argument: unknown) => boolean = () => true,
): void => {
  const methods = owner as Methods;
  for (const name of names) {
    const original = methods[name];
    if (original === undefined) throw new Error(`${label} has no ${name}`);
    methods[name] = function watched(this: unknown, ...args: unknown[]) {
      if (isMoment(args[0])) pass(`${label}.${name}`);
      return original.apply(this, args);
    };
  }
};

const require = createRequire(import.meta.url);
const fs = require('node:fs') as object;
const promises = require('node:fs/promises') as typeof FileSystem;
const sqlite = require('node:sqlite') as typeof Sqlite;
const http = require('node:http') as typeof Http;

watch(fs, 'fs', ['fsyncSync', 'linkSync', 'rmSync']);
watch(promises, 'fs', ['rename', 'rm', 'unlink', 'mkdir']);
const handle = await promises.open(process.execPath, 'r');
watch(Object.getPrototypeOf(handle) as object, 'file', ['sync', 'writeFile', 'write']);
await handle.close();
const isBoundary = (sql: unknown): boolean => typeof sql === 'string' && /^(BEGIN|COMMIT)/.test(sql);
watch(sqlite.DatabaseSync.prototype, 'database', ['exec'], isBoundary);
watch(sqlite.StatementSync.prototype, 'database', ['run']);
// A request before it is sent, its answer before it is read; an answer before it is sent.
watch(http.ClientRequest.prototype, 'request', ['end']);
watch(http.ClientRequest.prototype, 'request', ['emit'], (event) => event === 'response');
watch(http.ServerResponse.prototype, 'response', ['end']);
syncBuiltinESMExports();

if (log !== undefined) process.on('exit', () => writeFileSync(log, moments.join('\n')));
