#!/usr/bin/env node
// Starts on any Node from 18 on and hands over to a modern one.
import { fileURLToPath } from 'node:url';
import { isModern, runModern } from '../../../runtime/handover.js';

if (isModern()) {
  const { enableCompileCache } = await import('node:module');
  // Beside the code itself: whoever can write there can change the code as well. By default it is a folder in /tmp that
  // any user of the computer can make first, with code of theirs in it.
  enableCompileCache?.(fileURLToPath(new URL('../../../node_modules/.cache/keepset', import.meta.url)));
  const { main } = await import('../src/main.ts');
  process.exitCode = await main(process.argv.slice(2));
} else {
  process.exitCode = await runModern([fileURLToPath(import.meta.url), ...process.argv.slice(2)]);
}
