import { defineConfig } from 'vitest/config';

/**
 * Two kinds of suites. `unit`: no processes, no global state, one shared worker. `real`: suites that
 * start processes (databases, agents, servers); each file has a worker of its own and a longer limit.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts', 'scripts/**/*.test.ts'],
          exclude: ['**/*.real.test.ts'],
          isolate: false,
        },
      },
      {
        test: {
          name: 'real',
          include: ['packages/*/src/**/*.real.test.ts', 'e2e/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
