import { createIndex, createTable, type Migration } from './ddl.ts';

/** Accounts at providers that users sign in with: the address alone could pass to another person. */
export const userIdentities: Migration = {
  name: 'identities of users at providers',
  isAdditive: true,
  async up(c) {
    await createTable(
      c,
      'user_identities',
      { issuer: 'text!', subject: 'text!', user_id: 'text! => users', created_at: 'big!' },
      ['issuer', 'subject'],
    );
    await createIndex(c, 'user_identities', 'user_id, issuer', { unique: true });
  },
};
