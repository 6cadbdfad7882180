import { reconcileVolume } from '@dstack/core';
import { recordPass } from './record-pass.ts';

export const volume = recordPass({
  kind: 'volume',
  concurrency: 4,
  load: ({ store }, id) => store.engine.loadVolume(id),
  record: (snapshot) => snapshot.volume,
  decide: reconcileVolume,
});
