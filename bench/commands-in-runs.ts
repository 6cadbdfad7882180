/** Commands for a run that an engine has placed, as a user starts them. */
import { once } from 'node:events';
import type { Installation } from '@dstack/testkit';
import { print, summary } from './measure.ts';

const ATTEMPTS = 10;
const ATTACHED = 5;

type Engine = 'kubernetes' | 'slurm';

/** `dstack exec` and `dstack ssh`, each from its start to its end. */
export async function commandsIn(home: Installation, engine: Engine, run: string): Promise<void> {
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

/** From the start of `dstack attach` until it has forwarded the port of the run. */
export async function attach(home: Installation, engine: Engine, run: string): Promise<void> {
  const took: number[] = [];
  for (let i = 0; i < ATTACHED; i++) {
    const from = performance.now();
    const client = home.spawn(['attach', run]);
    let output = '';
    await new Promise<void>((resolve, reject) => {
      client.stderr?.on('data', (data) => {
        output += data;
        if (output.includes('localhost:')) resolve();
      });
      client.once('close', () => reject(new Error(`attach ended: ${output}`)));
    });
    took.push(performance.now() - from);
    client.kill('SIGINT');
    await once(client, 'close');
  }
  print({ name: `${engine}: attach`, unit: 'ms', ...summary(took) });
}
