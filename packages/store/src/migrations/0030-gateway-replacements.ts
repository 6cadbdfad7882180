import { sql } from 'kysely';
import { createTable, type Migration } from './ddl.ts';

/** Why a replica of a gateway must be replaced, and certificates that replicas share. */
export const gatewayReplacements: Migration = {
  name: 'replacement of replicas of gateways',
  isAdditive: true,
  async up(c) {
    await sql.raw('alter table gateway_reports add column outdated text').execute(c.db);
    await createTable(
      c,
      'gateway_issued_certificates',
      {
        gateway_id: 'text! => gateways',
        domain: 'text!',
        certificate: 'text!',
        private_key: 'text!',
      },
      ['gateway_id', 'domain'],
    );
  },
};
