import { createIndex, createTable, type Migration } from './ddl.ts';

/** Browsers that are signed in at the origin of a service, and the codes that sign them in. */
export const serviceSessions: Migration = {
  name: 'sessions at the origins of services',
  async up(c) {
    await createTable(
      c,
      'service_sessions',
      {
        hash: 'text!',
        session_id: 'text! => sessions',
        run_id: 'text! => runs',
        state_hash: 'text',
        created_at: 'big!',
        expires_at: 'big!',
      },
      ['hash'],
    );
    await createIndex(c, 'service_sessions', 'session_id, run_id');
    await createIndex(c, 'service_sessions', 'run_id');
    await createIndex(c, 'service_sessions', 'expires_at');
  },
};
