/**
 * Preloaded into a real process: counts its moments and kills it without warning at the one that KEEPSET_KILL_AT names,
 * counted from 1. On a normal end the moments are written, one a line, to the file KEEPSET_MOMENTS.
 */
import { writeFileSync } from 'node:fs';
import { watchMoments } from './moments.ts';

const end = Number(process.env['KEEPSET_KILL_AT'] ?? Infinity);
const log = process.env['KEEPSET_MOMENTS'];
const moments: string[] = [];

await watchMoments((name) => {
  moments.push(name);
  if (moments.length === end) process.kill(process.pid, 'SIGKILL');
  return undefined;
});

if (log !== undefined) process.on('exit', () => writeFileSync(log, moments.join('\n')));
