/**
 * Runs every check of the repository. Those of the sources run beside each other, the longest also beside
 * the tests, which leave processors idle; a failing check does not keep the others from running. The last
 * line counts tests over all suites: `N passed, N failed`.
 *
 * `--quick` leaves out the suites that start processes (`real` and `e2e`); every other argument is
 * passed to Vitest.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { readStrayErrors, STRAY_ERRORS, type StrayError } from './stray-errors.ts';
import {
  countTests,
  describeFailures,
  describeSkipped,
  describeStrays,
  failedFiles,
  type Report,
  readReport,
  withSecondRun,
} from './test-report.ts';

interface Check {
  readonly name: string;
  readonly command: Command;
}

type Command = readonly [string, ...string[]];

const REPORT = '.cache/test-report.json';
const SECOND_REPORT = '.cache/test-report-again.json';
/** If more files fail, the cause is not an accident. */
const MAX_AGAIN = 8;

const isQuick = process.argv.includes('--quick');
const vitestArgs = process.argv.slice(2).filter((arg) => arg !== '--quick');

const checks: readonly Check[] = [
  { name: 'types', command: ['tsc', '-b'] },
  { name: 'lint and format', command: ['biome', 'check', '--error-on-warnings', '.'] },
  { name: 'borders', command: [process.execPath, 'scripts/borders.ts'] },
  { name: 'words', command: [process.execPath, 'scripts/words.ts'] },
];
/** Takes a quarter of a minute of a processor, and more for each new pattern. */
const regexes: Check = {
  name: 'regular expressions',
  command: [process.execPath, 'scripts/regexes.ts'],
};

mkdirSync('.cache', { recursive: true });

const longest = failureOf(regexes);
const failed = (await Promise.all(checks.map(failureOf))).flat();
const { report, strays, succeeded } = await runTests();
failed.push(...(await longest));
const counts = countTests(report);
if (!succeeded) failed.push('tests');
// `scripts/test` installs on CI whatever a test needs, so no test may be skipped there.
if (process.env.CI && counts.skipped > 0) failed.push(`${counts.skipped} tests skipped on CI`);
for (const line of report ? describeFailures(report) : []) console.log(line);
for (const line of report && process.env.CI ? describeSkipped(report) : []) console.log(line);
for (const line of describeStrays(strays)) console.log(line);
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
async function runTests(): Promise<{
  readonly report: Report | null;
  /** Errors between tests of the first run, also if the second run succeeded. */
  readonly strays: readonly StrayError[];
  readonly succeeded: boolean;
}> {
  const projects = isQuick ? ['--project=unit', '--project=web'] : [];
  const succeeded = await succeeds('tests', vitest(REPORT, [...projects, ...vitestArgs]));
  const report = readReport(REPORT);
  const strays = readStrayErrors();
  const files = report ? failedFiles(report, strays) : [];
  const isLost = strays.some(({ file }) => file === null);
  if (!process.env.CI || !report || isLost || files.length === 0 || files.length > MAX_AGAIN) {
    return { report, strays, succeeded };
  }
  const args = ['--maxWorkers=1', ...projects, ...files];
  const succeededAgain = await succeeds('failed tests once more', vitest(SECOND_REPORT, args));
  const again = readReport(SECOND_REPORT);
  const both = again ? withSecondRun(report, again) : report;
  return { report: both, strays, succeeded: succeededAgain };
}

function vitest(reportPath: string, args: readonly string[]): Command {
  for (const path of [reportPath, STRAY_ERRORS]) rmSync(path, { force: true });
  const names = ['default', 'json', './scripts/stray-errors.ts'];
  const reporters = [...names.map((it) => `--reporter=${it}`), `--outputFile.json=${reportPath}`];
  return ['vitest', 'run', ...reporters, ...args];
}

async function succeeds(name: string, [program, ...args]: Command): Promise<boolean> {
  console.log(`\n== ${name}`);
  const [code] = await once(spawn(program, args, { stdio: 'inherit' }), 'close');
  return code === 0;
}

/** The name of the check if it fails. Its output is printed when it ends, in one piece. */
async function failureOf({ name, command: [program, ...args] }: Check): Promise<string[]> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const [output, errors, [code]] = await Promise.all([
    buffer(child.stdout),
    buffer(child.stderr),
    once(child, 'close'),
  ]);
  console.log(`\n== ${name}\n${output}${errors}`);
  return code === 0 ? [] : [name];
}
