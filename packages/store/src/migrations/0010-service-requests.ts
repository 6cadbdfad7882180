import { createTable, type Migration } from './ddl.ts';

/** How often services were asked for something, by the second; only of the last minutes. */
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
