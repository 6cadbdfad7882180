import { sql } from 'kysely';
import { createTable, type Migration } from './ddl.ts';

/** Service tokens for models, with limits, and what each of them has used per day. */
export const tokenBudgets: Migration = {
  name: 'budgets of service tokens',
  async up(c) {
    const json = c.postgres ? 'json' : 'text';
    for (const column of [`models ${json}`, `limits ${json}`]) {
      await sql.raw(`alter table service_tokens add column ${column}`).execute(c.db);
    }
    await createTable(
      c,
      'service_token_usage',
      { token_id: 'text! => service_tokens', day: 'int!', requests: 'big!', tokens: 'big!' },
      ['token_id', 'day'],
    );
  },
};
