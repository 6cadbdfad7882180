import { execFileSync } from 'node:child_process';

/** These suites run what is delivered, so it is built from the present sources first. */
export function setup(): void {
  for (const script of ['scripts/add-ons.ts', 'scripts/build.ts']) {
    execFileSync(process.execPath, [script], { stdio: ['ignore', 'ignore', 'inherit'] });
  }
}
