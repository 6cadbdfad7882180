import { createTable, type Migration } from './ddl.ts';

/** Hashes of tokens that are not valid any more: they are still nothing that an app may see. */
export const retiredTokens: Migration = {
  name: 'tokens that are not valid any more',
  async up(c) {
    await createTable(c, 'retired_tokens', { token_hash: 'text!', retired_at: 'big!' }, [
      'token_hash',
    ]);
  },
};
