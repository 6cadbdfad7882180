import { createTable, type Migration } from './ddl.ts';

/** Hashes of revoked tokens: the proxy must not pass them on to apps. */
export const retiredTokens: Migration = {
  name: 'tokens that are not valid any more',
  async up(c) {
    await createTable(c, 'retired_tokens', { token_hash: 'text!', retired_at: 'big!' }, [
      'token_hash',
    ]);
  },
};
