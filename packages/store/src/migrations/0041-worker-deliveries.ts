import { createTable, type Migration } from './ddl.ts';

/** The last batch of each kind that a worker of a server has delivered, so that none is added twice. */
export const workerDeliveries: Migration = {
  name: 'deliveries of workers',
  isAdditive: true,
  async up(c) {
    await createTable(
      c,
      'worker_deliveries',
      { worker_id: 'text!', kind: 'text!', batch: 'text!', delivered_at: 'big!' },
      ['worker_id', 'kind'],
    );
  },
};
