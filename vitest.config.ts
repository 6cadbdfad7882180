import { defineConfig } from 'vitest/config';
import { SuiteOrder } from './scripts/suite-order.ts';

/**
 * Limits are for hangs only: two cores can be busy for long. On CI a suite with real hosts, daemons
 * and links may try a failed test once more; its report then contains `retry x1`, and each of these is
 * a fault to look for. On a developer's computer the first failure counts.
 */
const PATIENCE = { testTimeout: 60_000, hookTimeout: 60_000, retry: process.env.CI ? 1 : 0 };

// Git starts its hooks and `rebase --exec` with these set; tests would then change this repository.
for (const name of ['GIT_DIR', 'GIT_WORK_TREE', 'GIT_INDEX_FILE', 'GIT_COMMON_DIR', 'GIT_PREFIX']) {
  delete process.env[name];
}

/**
 * Four kinds of suites. `unit`: no processes, no global state, one shared worker. `web`: components of the
 * web UI in a simulated browser. `real`: suites that
 * start processes (databases, agents, servers); each file has a worker of its own and a longer limit.
 * `e2e`: the built product, driven as a user drives it.
 */
export default defineConfig({
  test: {
    // Most of what the real suites do is waiting for processes.
    maxWorkers: 3,
    sequence: { sequencer: SuiteOrder },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts', 'scripts/**/*.test.ts'],
          exclude: ['**/*.real.test.ts'],
          isolate: false,
          // For hangs only: nothing here waits, but the machine may be busy.
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'web',
          include: ['packages/web/src/**/*.test.tsx'],
          environment: 'jsdom',
          setupFiles: ['packages/web/src/testing/setup.ts'],
          isolate: false,
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'real',
          include: ['packages/*/src/**/*.real.test.ts'],
          ...PATIENCE,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['e2e/**/*.test.ts'],
          globalSetup: ['e2e/build.ts'],
          ...PATIENCE,
        },
      },
    ],
  },
});
