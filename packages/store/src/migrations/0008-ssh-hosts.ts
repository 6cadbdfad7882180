import { createTable, type Migration } from './ddl.ts';

/** The access to hosts of SSH fleets. No reference: written before the instance it belongs to. */
export const sshHosts: Migration = {
  name: 'ssh hosts',
  async up(c) {
    await createTable(
      c,
      'ssh_hosts',
      { instance_id: 'text!', access: 'text!', host_keys: 'text!' },
      ['instance_id'],
    );
  },
};
