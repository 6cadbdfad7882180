import { reconcileGroup } from '@dstack/core';
import { recordPass } from './record-pass.ts';

export const group = recordPass({
  kind: 'group',
  concurrency: 4,
  load: ({ store }, id) => store.engine.loadGroup(id),
  record: (snapshot) => snapshot.group,
  decide: reconcileGroup,
});
