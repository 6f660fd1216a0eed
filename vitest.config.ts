import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['packages/*/test/**/*.test.ts', 'apps/*/test/**/*.test.ts', 'tests/**/*.test.ts'],
    // Real cryptography and real processes: generous limits, so that a slow machine is not a failure.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // The default leaves one processor idle, which on two of them is half.
    maxWorkers: '100%',
  },
});
