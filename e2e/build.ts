import { execFileSync } from 'node:child_process';

/**
 * These suites run what is delivered, so it is built from the present sources first, unless
 * `scripts/test` has just done so.
 */
export function setup(): void {
  if (process.env.DSTACK_TESTED_BUILD === 'present') return;
  for (const script of ['scripts/add-ons.ts', 'scripts/build.ts']) {
    execFileSync(process.execPath, [script], { stdio: ['ignore', 'ignore', 'inherit'] });
  }
}
