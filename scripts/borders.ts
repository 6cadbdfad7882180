/**
 * Checks the borders between packages with dependency-cruiser and the rules of
 * `.dependency-cruiser.cjs`. Seeing too few modules is a failure too: a parser that skips our
 * sources would find no violation.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const FEWEST_MODULES = 200;
/** The path of the program: if this script is started directly, npm has added nothing to PATH. */
const CRUISER = fileURLToPath(new URL('../node_modules/.bin/depcruise', import.meta.url));

interface Violation {
  readonly from: string;
  readonly to: string;
  readonly rule: { readonly name: string };
}

interface CruiseResult {
  readonly summary: { readonly totalCruised: number; readonly violations: readonly Violation[] };
}

const output = execFileSync(CRUISER, ['--output-type', 'json', 'packages'], {
  encoding: 'utf8',
  maxBuffer: 256 * 2 ** 20,
  stdio: ['ignore', 'pipe', 'ignore'],
});
const { summary } = JSON.parse(output) as CruiseResult;
for (const { rule, from, to } of summary.violations)
  console.error(`${rule.name}: ${from} -> ${to}`);
if (summary.totalCruised < FEWEST_MODULES) {
  console.error(`only ${summary.totalCruised} modules were seen; the sources were skipped`);
  process.exit(1);
}
console.log(`${summary.totalCruised} modules, ${summary.violations.length} forbidden imports`);
process.exit(summary.violations.length > 0 ? 1 : 0);
