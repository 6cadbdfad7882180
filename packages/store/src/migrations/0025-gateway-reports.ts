import { createTable, type Migration } from './ddl.ts';

/** The last report of each gateway replica, and certificates that people have set. */
export const gatewayReports: Migration = {
  name: 'gateway-reports',
  async up(c) {
    await createTable(
      c,
      'gateway_reports',
      {
        replica_id: 'text! => gateway_replicas',
        state: 'text!',
        text: 'text',
        hostname: 'text',
        version: 'text',
        certificates: 'json!',
        updated_at: 'big!',
      },
      ['replica_id'],
    );
    await createTable(
      c,
      'gateway_certificates',
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
