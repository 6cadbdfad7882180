import { createIndex, createTable, type Migration } from './ddl.ts';

/** Rate limits of services, for servers that share the database. */
export const serviceRateBuckets: Migration = {
  name: 'rate limits of services',
  async up(c) {
    await createTable(
      c,
      'service_rate_buckets',
      { key: 'text!', excess: 'float!', at: 'big!', allowed: 'int!' },
      ['key'],
    );
    await createIndex(c, 'service_rate_buckets', 'at');
  },
};
