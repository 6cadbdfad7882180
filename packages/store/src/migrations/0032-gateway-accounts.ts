import { createTable, type Migration } from './ddl.ts';

/** Keys of the accounts at authorities of certificates, which the replicas of a gateway share. */
export const gatewayAccounts: Migration = {
  name: 'accounts of gateways',
  isAdditive: true,
  async up(c) {
    await createTable(
      c,
      'gateway_acme_accounts',
      { gateway_id: 'text! => gateways', directory: 'text!', private_key: 'text!' },
      ['gateway_id', 'directory'],
    );
  },
};
