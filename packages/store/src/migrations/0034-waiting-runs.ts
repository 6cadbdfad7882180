import { createIndex, type Migration } from './ddl.ts';

/** The runs of a user that wait are counted at each submission. */
export const waitingRuns: Migration = {
  name: 'waiting runs of users',
  isAdditive: true,
  async up(c) {
    await createIndex(c, 'runs', 'user_id, status');
  },
};
