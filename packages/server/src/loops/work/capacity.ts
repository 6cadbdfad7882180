import type { WorkDescriptor } from './descriptor.ts';

/**
 * Signals placement in projects with waiting work that may use the freed capacity. Writes nothing.
 */
export const capacity: WorkDescriptor<'capacity'> = {
  kind: 'capacity',
  queues: { capacity: 2 },
  lease: null,
  schedule: null,
  work:
    ({ store, wake }) =>
    async (freed) => {
      for (const id of await store.engine.waitingFor(freed)) wake({ kind: 'placement', id });
      return { ending: 'done' };
    },
};
