import { createTable, type Migration } from './ddl.ts';

/** The last batch of each kind that a gateway replica has delivered, so that none is added twice. */
export const gatewayDeliveries: Migration = {
  name: 'deliveries of gateways',
  isAdditive: true,
  async up(c) {
    await createTable(
      c,
      'gateway_deliveries',
      { replica_id: 'text! => gateway_replicas', kind: 'text!', batch: 'text!' },
      ['replica_id', 'kind'],
    );
  },
};
