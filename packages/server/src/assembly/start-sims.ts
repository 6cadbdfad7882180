import { WatchedBackends } from '../capacity/watched-backends.ts';
import type { SimBackends } from '../sim/sim-backends.ts';
import type { Parts } from './parts.ts';

/** Resumes the simulated backends of all projects and follows the changes that they report. */
export async function startSims({ store, log, closing }: Parts, sims: SimBackends): Promise<void> {
  const watched = new WatchedBackends({ store, log });
  const projects = await store.projects.list({});
  const rows = await store.backends.list(projects.map(({ id }) => id));
  await sims.resume(rows);
  for (const row of rows) {
    const backend = sims.of(row);
    if (backend) closing.add(await watched.watch(row.projectId, backend));
  }
}
