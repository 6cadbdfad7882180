import { sql } from 'kysely';
import { createTable, type Migration } from './ddl.ts';

/**
 * Domains that gateways had before a domain had to be proven for the DNS hook. Their certificates are renewed
 * with a warning for one version.
 */
export const unprovenDomains: Migration = {
  name: 'domains of gateways that were never proven',
  isAdditive: true,
  async up(c) {
    await createTable(
      c,
      'gateway_unproven_domains',
      { gateway_id: 'text! => gateways', domain: 'text!' },
      ['gateway_id'],
    );
    await sql`
      insert into gateway_unproven_domains (gateway_id, domain)
      select id, wildcard_domain from gateways where not deleted and wildcard_domain is not null
    `.execute(c.db);
  },
};
