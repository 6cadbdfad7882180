import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '..', '..', '..');

/**
 * Builds the agent's bundle from the present sources, unless `scripts/test` has just done so: suites that
 * run at the same time read it.
 */
export function buildAgent(): void {
  if (process.env.DSTACK_TESTED_BUILD === 'present') return;
  execFileSync(process.execPath, ['scripts/build.ts', 'agent'], { cwd: ROOT, stdio: 'ignore' });
}
