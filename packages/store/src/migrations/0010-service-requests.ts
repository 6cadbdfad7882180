import { createTable, type Migration } from './ddl.ts';

/** Number of requests to services per second, of the last minutes only. */
export const serviceRequests: Migration = {
  name: 'requests of services',
  async up(c) {
    await createTable(
      c,
      'service_requests',
      {
        run_id: 'text! => runs',
        second: 'big!',
        owner: 'text!',
        requests: 'big!',
      },
      ['run_id', 'second', 'owner'],
    );
  },
};
