import { createTable, type Migration } from './ddl.ts';

/** Replicas whose liveness probe has failed too often in a row. */
export const liveness: Migration = {
  name: 'liveness of replicas',
  async up(c) {
    await createTable(c, 'job_liveness', { job_id: 'text! => jobs', failures: 'int!' }, ['job_id']);
  },
};
