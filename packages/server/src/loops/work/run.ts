import { reconcileRun } from '@dstack/core';
import { recordPass } from './record-pass.ts';

export const run = recordPass({
  kind: 'run',
  concurrency: 8,
  load: ({ store, quota }, id) => store.engine.loadRun(id, { overQuota: quota.breaches }),
  record: (snapshot) => snapshot.run,
  decide: reconcileRun,
  onDone: ({ changes }, id) => changes.emit(id),
});
