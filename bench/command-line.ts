/** Duration of short commands, compared with bare Node. */
import { execFileSync, spawnSync } from 'node:child_process';
import { dstack, installation } from './installation.ts';
import { print, summary } from './measure.ts';

const TIMES = 30;

export async function commandLine(): Promise<void> {
  const home = installation();
  try {
    await home.startServer();
    time('node -e 0', process.execPath, ['-e', '0'], home.env);
    time('dstack --version', dstack, ['--version'], home.env);
    time('dstack --help', dstack, ['--help'], home.env);
    time('dstack ps', dstack, ['ps'], home.env);
  } finally {
    await home.dispose();
  }
}

function time(name: string, program: string, args: string[], env: NodeJS.ProcessEnv): void {
  execFileSync(program, args, { env, stdio: 'ignore' });
  const samples = Array.from({ length: TIMES }, () => {
    const start = performance.now();
    spawnSync(program, args, { env, stdio: 'ignore' });
    return performance.now() - start;
  });
  print({ name, unit: 'ms', ...summary(samples) });
}
