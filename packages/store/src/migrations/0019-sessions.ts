import { createIndex, createTable, type Migration } from './ddl.ts';

/** Browsers in which a user is signed in. */
export const sessions: Migration = {
  name: 'sessions of browsers',
  async up(c) {
    await createTable(c, 'sessions', {
      id: 'text!',
      user_id: 'text! => users',
      key_hash: 'text!',
      secret_hash: 'text!',
      token_hash: 'text!',
      persistent: 'bool!',
      created_at: 'big!',
      last_used_at: 'big!',
      expires_at: 'big!',
    });
    await createIndex(c, 'sessions', 'key_hash', { unique: true });
    await createIndex(c, 'sessions', 'user_id, last_used_at');
  },
};
