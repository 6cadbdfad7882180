import { reconcileRun } from '@dstack/core';
import { recordPass } from './record-pass.ts';

export const run = recordPass({
  kind: 'run',
  concurrency: 8,
  load: async ({ store, quota, queries }, id) => {
    const snapshot = await store.engine.loadRun(id, { overQuota: quota.breaches });
    if (snapshot) queries?.want(snapshot);
    return snapshot;
  },
  record: (snapshot) => snapshot.run,
  decide: reconcileRun,
  onDone: ({ changes }, id) => changes.emit(id),
});
