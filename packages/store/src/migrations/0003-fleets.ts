import { createIndex, createTable, type Migration } from './ddl.ts';

/** Fleets, instances and their hosts. */
export const fleets: Migration = {
  name: 'fleets',
  async up(c) {
    await createTable(c, 'fleets', {
      id: 'text!',
      project_id: 'text! -> projects',
      name: 'text!',
      spec: 'json!',
      status: 'text!',
      status_message: 'text',
      created_at: 'big!',
      consolidation_attempt: 'int!',
      last_consolidated_at: 'big',
      master_instance_id: 'text',
      next_pass_at: 'big',
      deleted: 'bool!',
      version: 'int!',
      lease_owner: 'text',
      lease_expires_at: 'big',
    });
    await createIndex(c, 'fleets', 'project_id, name', { unique: true, where: 'not deleted' });
    await createIndex(c, 'fleets', 'created_at, id');
    await createIndex(c, 'fleets', 'next_pass_at', { where: 'next_pass_at is not null' });

    await createTable(c, 'instances', {
      id: 'text!',
      project_id: 'text! -> projects',
      fleet_id: 'text! -> fleets',
      instance_num: 'int!',
      name: 'text!',
      backend: 'text',
      region: 'text!',
      price: 'float!',
      status: 'text!',
      unreachable: 'bool!',
      health: 'text!',
      provisioning_job_id: 'text',
      offer: 'json',
      provisioning_data: 'json',
      total_blocks: 'int',
      busy_blocks: 'int!',
      requirements: 'json',
      profile: 'json',
      idle_seconds: 'big',
      host_id: 'text',
      host_facts: 'json',
      termination_reason: 'text',
      termination_message: 'text',
      created_at: 'big!',
      started_at: 'big',
      finished_at: 'big',
      deleted_at: 'big',
      last_job_finished_at: 'big',
      status_changed_at: 'big!',
      unreachable_since: 'big',
      next_pass_at: 'big',
      deleted: 'bool!',
      version: 'int!',
      lease_owner: 'text',
      lease_expires_at: 'big',
    });
    await createIndex(c, 'instances', 'fleet_id, instance_num', {
      unique: true,
      where: 'not deleted',
    });
    await createIndex(c, 'instances', 'project_id, created_at');
    await createIndex(c, 'instances', 'created_at, id');
    await createIndex(c, 'instances', 'host_id', { where: 'host_id is not null' });
    await createIndex(c, 'instances', 'backend', { where: 'not deleted' });
    await createIndex(c, 'instances', 'next_pass_at', { where: 'next_pass_at is not null' });

    await createTable(c, 'instance_health_checks', {
      id: 'text!',
      instance_id: 'text! => instances',
      status: 'text!',
      response: 'text!',
      collected_at: 'big!',
    });
    await createIndex(c, 'instance_health_checks', 'instance_id, collected_at');
    await createIndex(c, 'instance_health_checks', 'collected_at');

    await createTable(c, 'hosts', {
      id: 'text!',
      connected: 'bool!',
      since: 'big!',
      facts: 'json',
      executor: 'text',
      error: 'text',
      lease_owner: 'text',
      lease_expires_at: 'big',
    });
  },
};
