/**
 * Runs every check of the repository, cheapest first; a failing check does not keep the others from
 * running. The last line counts tests over all suites: `N passed, N failed`.
 *
 * `--quick` leaves out the suites that start processes (`real` and `e2e`); every other argument is
 * passed to Vitest.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { countTests, describeFailures, readReport } from './test-report.ts';

interface Check {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
}

const REPORT = '.cache/test-report.json';

const isQuick = process.argv.includes('--quick');
const vitestArgs = process.argv.slice(2).filter((arg) => arg !== '--quick');

const checks: readonly Check[] = [
  { name: 'types', command: ['tsc', '-b'] },
  { name: 'lint and format', command: ['biome', 'check', '--error-on-warnings', '.'] },
  { name: 'borders', command: [process.execPath, 'scripts/borders.ts'] },
  { name: 'regular expressions', command: [process.execPath, 'scripts/regexes.ts'] },
  { name: 'words', command: [process.execPath, 'scripts/words.ts'] },
  {
    name: 'tests',
    command: [
      'vitest',
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${REPORT}`,
      ...(isQuick ? ['--project=unit', '--project=web'] : []),
      ...vitestArgs,
    ],
  },
];

mkdirSync('.cache', { recursive: true });
rmSync(REPORT, { force: true });

const failed: string[] = [];
for (const { name, command } of checks) {
  console.log(`\n== ${name}`);
  const [program, ...args] = command;
  const { status } = spawnSync(program, args, { stdio: 'inherit' });
  if (status !== 0) failed.push(name);
}

const report = readReport(REPORT);
const counts = countTests(report);
// `scripts/test` installs on CI whatever a test needs, so no test may be skipped there.
if (process.env.CI && counts.skipped > 0) failed.push(`${counts.skipped} tests skipped on CI`);
for (const line of report ? describeFailures(report) : []) console.log(line);
for (const name of failed) console.log(`FAILED: ${name}`);
// A test run may fail without a failed test, by an error between two tests.
const brokenChecks = failed.filter((name) => name !== 'tests' || counts.failed === 0).length;
const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
console.log(`${counts.passed} passed, ${counts.failed + brokenChecks} failed${skipped}`);
process.exit(failed.length === 0 && counts.failed === 0 ? 0 : 1);
