import { reconcileGateway } from '@dstack/core';
import { recordPass } from './record-pass.ts';

export const gateway = recordPass({
  kind: 'gateway',
  concurrency: 4,
  load: ({ store }, id) => store.engine.loadGateway(id),
  record: (snapshot) => snapshot.gateway,
  decide: reconcileGateway,
  onDone: ({ gateways }, id) => gateways?.changed(id),
});
