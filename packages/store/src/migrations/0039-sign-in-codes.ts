import { createIndex, createTable, type Migration } from './ddl.ts';

/** People whom a provider has confirmed, until the command line that has begun the sign-in reports. */
export const signInCodes: Migration = {
  name: 'codes of sign-ins by clients',
  isAdditive: true,
  async up(c) {
    await createTable(
      c,
      'sign_in_codes',
      {
        hash: 'text!',
        state_hash: 'text!',
        user_id: 'text => users',
        refusal: 'text',
        created_at: 'big!',
        expires_at: 'big!',
      },
      ['hash'],
    );
    await createIndex(c, 'sign_in_codes', 'expires_at');
  },
};
