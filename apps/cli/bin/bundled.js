#!/usr/bin/env node
// Starts the command where it is bundled. Any Node from 18 on can read this file, and say that it is too old.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major > 22 || (major === 22 && minor >= 18)) {
  const { main } = await import('./lib/main.js');
  process.exitCode = await main(process.argv.slice(2));
} else {
  process.stderr.write(`Keepset needs Node 22.18 or later; this is ${process.versions.node}.\n`);
  process.exitCode = 2;
}
