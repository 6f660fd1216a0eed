#!/usr/bin/env node
// Starts the command where it is bundled, by the Node that is there.
import { enableCompileCache } from 'node:module';

enableCompileCache?.();
const { main } = await import('./lib/main.js');
process.exitCode = await main(process.argv.slice(2));
