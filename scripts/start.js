// npm start: installs what is missing, then runs a first real ceremony. Plain JavaScript for any Node from 18 on.
import { join } from 'node:path';
import { runModern } from '../runtime/handover.js';
import { ensureInstalled, root } from './install.js';

ensureInstalled();
const keepset = join(root, 'apps', 'cli', 'bin', 'keepset.js');
process.exitCode = await runModern([keepset, 'quickstart', ...process.argv.slice(2)]);
