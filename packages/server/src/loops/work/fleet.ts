import { reconcileFleet } from '@dstack/core';
import { recordPass } from './record-pass.ts';

export const fleet = recordPass({
  kind: 'fleet',
  concurrency: 4,
  load: ({ store }, id) => store.engine.loadFleet(id),
  record: (snapshot) => snapshot.fleet,
  decide: reconcileFleet,
});
