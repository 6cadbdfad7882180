/** Commands in a run that an engine has placed, as a user starts them. */
import type { Installation } from '@dstack/testkit';
import { print, summary } from './measure.ts';

const ATTEMPTS = 10;

/** `dstack exec` and `dstack ssh`, each from its start to its end. */
export async function commandsIn(
  home: Installation,
  engine: 'kubernetes' | 'slurm',
  run: string,
): Promise<void> {
  for (const command of ['exec', 'ssh']) {
    const took: number[] = [];
    for (let i = 0; i < ATTEMPTS; i++) {
      const start = performance.now();
      await home.ok(command, run, '--', 'true');
      took.push(performance.now() - start);
    }
    print({ name: `${engine}: dstack ${command} RUN -- true`, unit: 'ms', ...summary(took) });
  }
}
