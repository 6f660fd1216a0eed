import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, it, vi } from 'vitest';
import { startServer, type RunningServer } from '@keepset/server';
import { projectRoot, temporaryFolder } from '../support/folders.ts';
import { serverOptions } from '../support/server.ts';
import { runTranscript } from '../support/transcript.ts';

// Many real processes or runs: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const folder = join(projectRoot, 'tests', 'end-to-end', 'transcripts');
let server: RunningServer;
beforeAll(async () => {
  server = await startServer(serverOptions());
});
afterAll(() => server.close());

describe('transcripts', () => {
  it.each(readdirSync(folder))('%s', async (name) => {
    const big = join(temporaryFolder(), 'big.bin');
    writeFileSync(big, new Uint8Array(1024 * 1024 + 1));
    await runTranscript(readFileSync(join(folder, name), 'utf8'), temporaryFolder(), {
      INVITATION: server.invite(),
      BIG: big,
    });
  });
});
