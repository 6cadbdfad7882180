import type { Store } from '@dstack/store';
import type { Random } from '@dstack/testkit/random';
import type { SimWorld } from './sim-backends.ts';

const HELD_US = 120_000_000;

/** A machine ends while another process holds the leases of its runs, so that its jobs leave it minutes later. */
export async function endBehindHeldRuns(
  store: Store,
  { provider }: SimWorld,
  random: Random,
): Promise<void> {
  const used = [];
  for (const machine of provider.tables.machines.all()) {
    const snapshot = await store.engine.loadInstance(machine.order.instanceId);
    const jobs = snapshot?.jobs.filter((job) => job.provisionedAt !== null) ?? [];
    if (jobs.length > 0) used.push({ machine, runs: new Set(jobs.map(({ runId }) => runId)) });
  }
  const picked = random.pick(used);
  if (!picked) return;
  for (const id of picked.runs) await store.engine.claim('run', id, 'a stopped process', HELD_US);
  provider.interrupt(picked.machine, 'taken back');
}
