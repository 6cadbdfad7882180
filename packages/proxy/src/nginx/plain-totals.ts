/** The totals of an nginx that is about to end: they are in its memory alone. */
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { CountedService } from '../counts/proxy-figures.ts';
import type { PushedService } from '../worker/protocol.ts';
import type { Control } from './plain-control.ts';
import { PlainReport } from './plain-report.ts';
import { askTick } from './plain-tick.ts';

/** Time between two looks whether it still answers requests. */
const LOOK_MS = 50;

/**
 * Leaves all further requests to the workers, and returns the totals once those under way have ended, or after `patienceMs`.
 * Nothing else may lead nginx meanwhile. Rejects if it does not answer.
 */
export async function lastTotals(
  control: Control,
  services: readonly PushedService[],
  patienceMs: number,
): Promise<readonly CountedService[]> {
  const ask = () => askTick(control, services, { seen: () => '', leaseMs: 0 });
  let tick = await ask();
  const isBusy = () => tick.inFlight.some(({ n, pid }) => n > 0 && existsSync(`/proc/${pid}`));
  const end = performance.now() + patienceMs;
  while (isBusy() && performance.now() < end) {
    await delay(LOOK_MS);
    tick = await ask();
  }
  let found: readonly CountedService[] = [];
  const report = new PlainReport({
    services: () => services,
    keepsTotals: true,
    reports: {
      count() {},
      avoided() {},
      figures: (changed) => {
        found = changed;
      },
    },
    onRestart() {},
  });
  report.take(tick);
  return found;
}

/** The next server does not count them twice, should this one be killed before nginx has ended. */
export async function forgetTotals(
  control: Control,
  services: readonly PushedService[],
): Promise<void> {
  const ids = services.flatMap(({ route: { runId, replicas } }) => [
    runId,
    ...replicas.map(({ jobId }) => jobId),
  ]);
  await control('/push', ids.map((id) => `c\t${id}`).join('\n'));
}
