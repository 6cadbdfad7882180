import { createIndex, createTable, type Migration, type MigrationContext } from './ddl.ts';

/** Volumes, gateways, provider-side groups, exports and imports. */
export const resources: Migration = {
  name: 'resources',
  async up(c) {
    await createVolumes(c);
    await createGateways(c);
    await createGroups(c);
    await createExports(c);
  },
};

async function createVolumes(c: MigrationContext): Promise<void> {
  await createTable(c, 'volumes', {
    id: 'text!',
    project_id: 'text! -> projects',
    user_id: 'text! -> users',
    name: 'text!',
    backend: 'text!',
    configuration: 'json!',
    external: 'bool!',
    status: 'text!',
    status_message: 'text',
    provisioning_data: 'json',
    created_at: 'big!',
    last_processed_at: 'big!',
    last_job_processed_at: 'big',
    to_be_deleted: 'bool!',
    deleted: 'bool!',
    deleted_at: 'big',
    next_pass_at: 'big',
    version: 'int!',
    lease_owner: 'text',
    lease_expires_at: 'big',
  });
  await createIndex(c, 'volumes', 'project_id, name', { unique: true, where: 'not deleted' });
  await createIndex(c, 'volumes', 'created_at, id');
  await createIndex(c, 'volumes', 'next_pass_at', { where: 'next_pass_at is not null' });

  await createTable(
    c,
    'volume_attachments',
    {
      volume_id: 'text! => volumes',
      instance_id: 'text! => instances',
      attachment_data: 'json',
    },
    ['volume_id', 'instance_id'],
  );
  await createIndex(c, 'volume_attachments', 'instance_id');
}

async function createGateways(c: MigrationContext): Promise<void> {
  await createTable(c, 'gateways', {
    id: 'text!',
    project_id: 'text! -> projects',
    name: 'text!',
    backend: 'text!',
    region: 'text!',
    configuration: 'json!',
    status: 'text!',
    status_message: 'text',
    wildcard_domain: 'text',
    hostname: 'text',
    backend_data: 'text',
    scale_out_attempt: 'int!',
    created_at: 'big!',
    last_processed_at: 'big!',
    to_be_deleted: 'bool!',
    deleted: 'bool!',
    next_pass_at: 'big',
    version: 'int!',
    lease_owner: 'text',
    lease_expires_at: 'big',
  });
  await createIndex(c, 'gateways', 'project_id, name', { unique: true, where: 'not deleted' });
  await createIndex(c, 'gateways', 'next_pass_at', { where: 'next_pass_at is not null' });

  await createTable(c, 'gateway_replicas', {
    id: 'text!',
    gateway_id: 'text! -> gateways',
    replica_num: 'int!',
    status: 'text!',
    status_message: 'text',
    backend: 'text',
    region: 'text',
    instance_id: 'text',
    hostname: 'text',
    backend_data: 'text',
    ssh_public_key: 'text!',
    ssh_private_key: 'text!',
    scale_in: 'bool!',
    attempt: 'int!',
    app_updated_at: 'big',
    created_at: 'big!',
    last_processed_at: 'big!',
    deleted: 'bool!',
    next_pass_at: 'big',
    version: 'int!',
    lease_owner: 'text',
    lease_expires_at: 'big',
  });
  await createIndex(c, 'gateway_replicas', 'gateway_id, replica_num');
  await createIndex(c, 'gateway_replicas', 'next_pass_at', { where: 'next_pass_at is not null' });

  await createTable(
    c,
    'service_registrations',
    {
      subject_id: 'text!',
      gateway_replica_id: 'text! => gateway_replicas',
      run_id: 'text! => runs',
      job_id: 'text => jobs',
      registered: 'bool!',
      register_attempt: 'int!',
      register_message: 'text',
      unregister_attempt: 'int!',
      unregister_message: 'text',
    },
    ['subject_id', 'gateway_replica_id'],
  );
  await createIndex(c, 'service_registrations', 'gateway_replica_id');
  await createIndex(c, 'service_registrations', 'run_id');
  await createIndex(c, 'service_registrations', 'job_id', { where: 'job_id is not null' });
}

async function createGroups(c: MigrationContext): Promise<void> {
  await createTable(c, 'placement_groups', {
    id: 'text!',
    project_id: 'text! -> projects',
    fleet_id: 'text! -> fleets',
    name: 'text!',
    backend: 'text!',
    region: 'text!',
    configuration: 'json!',
    provisioning_data: 'json',
    fleet_deleted: 'bool!',
    created_at: 'big!',
    deleted: 'bool!',
    version: 'int!',
  });
  await createIndex(c, 'placement_groups', 'project_id, name', {
    unique: true,
    where: 'not deleted',
  });
  await createIndex(c, 'placement_groups', 'fleet_id');

  await createTable(c, 'compute_groups', {
    id: 'text!',
    project_id: 'text! -> projects',
    fleet_id: 'text! -> fleets',
    backend: 'text!',
    region: 'text!',
    status: 'text!',
    provisioning_data: 'json!',
    instance_ids: 'json!',
    first_termination_at: 'big',
    created_at: 'big!',
    deleted: 'bool!',
    version: 'int!',
  });
  await createIndex(c, 'compute_groups', 'fleet_id');
}

async function createExports(c: MigrationContext): Promise<void> {
  await createTable(c, 'exports', {
    id: 'text!',
    project_id: 'text! -> projects',
    name: 'text!',
    is_global: 'bool!',
    created_at: 'big!',
  });
  await createIndex(c, 'exports', 'project_id, name', { unique: true });

  await createTable(
    c,
    'exported_fleets',
    { export_id: 'text! => exports', fleet_id: 'text! => fleets' },
    ['export_id', 'fleet_id'],
  );
  await createIndex(c, 'exported_fleets', 'fleet_id');
  await createTable(
    c,
    'exported_gateways',
    { export_id: 'text! => exports', gateway_id: 'text! => gateways' },
    ['export_id', 'gateway_id'],
  );
  await createIndex(c, 'exported_gateways', 'gateway_id');

  await createTable(c, 'imports', {
    id: 'text!',
    project_id: 'text! => projects',
    export_id: 'text! => exports',
    created_at: 'big!',
  });
  await createIndex(c, 'imports', 'project_id, export_id', { unique: true });
  await createIndex(c, 'imports', 'export_id');
}
