import { freedCapacity } from '@dstack/core';
import type { WorkDescriptor } from './descriptor.ts';

/** Wakes the pools with waiting work that may use the freed capacity. Writes nothing. */
export const capacity: WorkDescriptor<'capacity'> = {
  kind: 'capacity',
  queues: { capacity: 2 },
  lease: null,
  schedule: null,
  work:
    ({ store, wake }) =>
    async (id) => {
      const freed = freedCapacity(id);
      const pools = freed === null ? [] : await store.engine.waitingFor(freed);
      for (const pool of pools) wake({ kind: 'pool', id: pool });
      return { ending: 'done' };
    },
};
