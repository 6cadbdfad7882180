/** Runs of the bench in a test cluster. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Installation } from '@dstack/testkit';
import { eventTimes } from './runs.ts';

export const IMAGE = 'bench:1';
export const AGENT = 'dstack/agent:1';

export const JOB = {
  image: IMAGE,
  fleets: ['pods'],
  resources: { cpu: '1..', memory: '0.2GB..', disk: '1GB..', gpu: 0 },
};

/** Milliseconds that the server recorded from the submission on. */
export async function untilRunning(home: Installation, name: string, id: string): Promise<number> {
  for (;;) {
    const run = await home.api<{ status: string; status_message: string }>(
      '/api/project/main/runs/get',
      { run_name: name },
    );
    if (run.status === 'running') break;
    if (['failed', 'done', 'terminated'].includes(run.status)) {
      throw new Error(`${name}: ${run.status} ${run.status_message}`);
    }
    await delay(20);
  }
  const at = await eventTimes(home, id);
  return (at(/^Run status changed .* -> RUNNING/) - at(/^Run submitted/)) / 1000;
}

export async function stop(home: Installation, names: readonly string[]): Promise<void> {
  await home.api('/api/project/main/runs/stop', { runs_names: names, abort: true });
}
