import { defineConfig } from 'vitest/config';
import { linkPackages } from './scripts/link-packages.ts';
import { SuiteOrder } from './scripts/suite-order.ts';

/**
 * On CI a failed test is tried once more; `scripts/check.ts` names it at the end, and each of these is a
 * fault to look for. On a developer's computer the first failure counts.
 */
const retry = process.env.CI ? 1 : 0;
/** Limits are for hangs only: two cores can be busy for long. */
const PATIENCE = {
  ...{ testTimeout: 180_000, hookTimeout: 180_000 },
  retry,
  runner: './scripts/test-runner.ts',
};

// Git starts its hooks and `rebase --exec` with these set; tests would then change this repository.
for (const name of ['GIT_DIR', 'GIT_WORK_TREE', 'GIT_INDEX_FILE', 'GIT_COMMON_DIR', 'GIT_PREFIX']) {
  delete process.env[name];
}

/** By `scripts/test --clouds`. */
const isWithClouds = process.env.DSTACK_TEST_CLOUDS_TABLE === 'all';

linkPackages(import.meta.dirname);

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
          retry,
          // For hangs only: nothing here waits, but the machine may be busy.
          testTimeout: 20_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'web',
          include: ['packages/web/src/**/*.test.tsx'],
          environment: 'jsdom',
          setupFiles: ['packages/web/src/testing/setup.ts'],
          isolate: false,
          retry,
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
          exclude: isWithClouds ? [] : ['**/*.clouds.test.ts'],
          globalSetup: ['e2e/build.ts'],
          ...PATIENCE,
        },
      },
    ],
  },
});
