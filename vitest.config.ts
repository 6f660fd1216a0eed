import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['packages/*/test/**/*.test.ts', 'apps/*/test/**/*.test.ts', 'tests/**/*.test.ts'],
    globalSetup: 'tests/support/before-all.ts',
    setupFiles: 'tests/support/seed.ts',
    // Real cryptography and real processes: generous limits, so that a slow machine is not a failure.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // More than there are processors: a test with real processes waits for disks and sockets a third of its time.
    maxWorkers: Math.ceil(availableParallelism() * 1.5),
  },
});
