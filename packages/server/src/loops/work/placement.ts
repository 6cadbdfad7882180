import type { WorkDescriptor } from './descriptor.ts';

/** Wakes the pool of a project that has new work; the key is the project's id. Writes nothing. */
export const placement: WorkDescriptor<'placement'> = {
  kind: 'placement',
  queues: { placement: 2 },
  lease: null,
  schedule: null,
  work:
    ({ store, wakeForNewWork }) =>
    async (projectId) => {
      const pools = await store.engine.waitingFor({ kind: 'project', projectId });
      for (const id of pools) wakeForNewWork(id);
      return { ending: 'done' };
    },
};
