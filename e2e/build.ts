import { execFileSync } from 'node:child_process';

/** These suites run what is delivered, so it is built from the present sources first. */
export function setup(): void {
  execFileSync(process.execPath, ['scripts/build.ts'], { stdio: ['ignore', 'ignore', 'inherit'] });
}
