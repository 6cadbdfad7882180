/**
 * Runs every check of the repository, cheapest first; a failing check does not keep the others from
 * running. The last line counts tests over all suites: `N passed, N failed`.
 *
 * `--quick` leaves out the suites that start processes (`real` and `e2e`); every other argument is
 * passed to Vitest.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import {
  countTests,
  describeFailures,
  failedFiles,
  type Report,
  readReport,
  withSecondRun,
} from './test-report.ts';

interface Check {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
}

const REPORT = '.cache/test-report.json';
const SECOND_REPORT = '.cache/test-report-again.json';
/** If more files fail, the cause is not an accident. */
const MAX_AGAIN = 5;

const isQuick = process.argv.includes('--quick');
const vitestArgs = process.argv.slice(2).filter((arg) => arg !== '--quick');

const checks: readonly Check[] = [
  { name: 'types', command: ['tsc', '-b'] },
  { name: 'lint and format', command: ['biome', 'check', '--error-on-warnings', '.'] },
  { name: 'borders', command: [process.execPath, 'scripts/borders.ts'] },
  { name: 'regular expressions', command: [process.execPath, 'scripts/regexes.ts'] },
  { name: 'words', command: [process.execPath, 'scripts/words.ts'] },
];

mkdirSync('.cache', { recursive: true });

const failed = checks
  .filter(({ name, command }) => !succeeds(name, command))
  .map(({ name }) => name);
const { report, succeeded } = runTests();
const counts = countTests(report);
if (!succeeded) failed.push('tests');
// `scripts/test` installs on CI whatever a test needs, so no test may be skipped there.
if (process.env.CI && counts.skipped > 0) failed.push(`${counts.skipped} tests skipped on CI`);
for (const line of report ? describeFailures(report) : []) console.log(line);
for (const name of failed) console.log(`FAILED: ${name}`);
// A test run may fail without a failed test, by an error between two tests.
const brokenChecks = failed.filter((name) => name !== 'tests' || counts.failed === 0).length;
const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
console.log(`${counts.passed} passed, ${counts.failed + brokenChecks} failed${skipped}`);
process.exit(failed.length === 0 && counts.failed === 0 ? 0 : 1);

/**
 * On CI a few failed files run once more, alone and one after another: what fails only beside other
 * suites, or leaves something that fails its retry, is named as such, and not taken for a broken build.
 */
function runTests(): { readonly report: Report | null; readonly succeeded: boolean } {
  const projects = isQuick ? ['--project=unit', '--project=web'] : [];
  const succeeded = succeeds('tests', vitest(REPORT, [...projects, ...vitestArgs]));
  const report = readReport(REPORT);
  const files = report ? failedFiles(report) : [];
  if (!process.env.CI || !report || files.length === 0 || files.length > MAX_AGAIN) {
    return { report, succeeded };
  }
  const args = ['--maxWorkers=1', ...projects, ...files];
  const succeededAgain = succeeds('failed tests once more', vitest(SECOND_REPORT, args));
  const again = readReport(SECOND_REPORT);
  return { report: again ? withSecondRun(report, again) : report, succeeded: succeededAgain };
}

function vitest(reportPath: string, args: readonly string[]): readonly [string, ...string[]] {
  rmSync(reportPath, { force: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${reportPath}`];
  return ['vitest', 'run', ...reporters, ...args];
}

function succeeds(name: string, [program, ...args]: readonly [string, ...string[]]): boolean {
  console.log(`\n== ${name}`);
  return spawnSync(program, args, { stdio: 'inherit' }).status === 0;
}
