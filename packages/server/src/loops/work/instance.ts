import { reconcileInstance } from '@dstack/core';
import { recordPass } from './record-pass.ts';

export const instance = recordPass({
  kind: 'instance',
  concurrency: 8,
  load: ({ store }, id) => store.engine.loadInstance(id),
  record: (snapshot) => snapshot.instance,
  decide: reconcileInstance,
});
