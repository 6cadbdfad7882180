import { createIndex, createTable, type Migration, type MigrationContext } from './ddl.ts';

/**
 * Runs, their job submissions, intents, and the records beside them that change without a version.
 */
export const runs: Migration = {
  name: 'runs',
  async up(c) {
    await createRuns(c);
    await createJobs(c);
    await createProgress(c);

    await createTable(
      c,
      'intents',
      {
        key: 'text!',
        kind: 'text!',
        subject_id: 'text!',
        attempt: 'int!',
        payload: 'json!',
        state: 'text!',
        result: 'json',
        error: 'text',
        created_at: 'big!',
        updated_at: 'big!',
        lease_owner: 'text',
        lease_expires_at: 'big',
      },
      ['key'],
    );
    await createIndex(c, 'intents', 'subject_id');
    await createIndex(c, 'intents', 'created_at', {
      where: "state = 'announced'",
      name: 'intents_announced',
    });
  },
};

async function createRuns(c: MigrationContext): Promise<void> {
  await createTable(c, 'runs', {
    id: 'text!',
    project_id: 'text! -> projects',
    user_id: 'text! -> users',
    name: 'text!',
    spec: 'json!',
    status: 'text!',
    termination_reason: 'text',
    priority: 'int!',
    deployment_num: 'int!',
    desired_replicas: 'json!',
    resubmission_attempt: 'int!',
    fleet_id: 'text -> fleets',
    gateway_id: 'text',
    service_spec: 'json',
    submitted_at: 'big!',
    last_processed_at: 'big!',
    next_triggered_at: 'big',
    next_pass_at: 'big',
    deleted: 'bool!',
    version: 'int!',
    lease_owner: 'text',
    lease_expires_at: 'big',
  });
  await createIndex(c, 'runs', 'project_id, name', { unique: true, where: 'not deleted' });
  await createIndex(c, 'runs', 'submitted_at, id');
  await createIndex(c, 'runs', 'project_id, submitted_at');
  await createIndex(c, 'runs', 'user_id, submitted_at');
  // The columns by which lists of active runs are ordered and cut.
  await createIndex(c, 'runs', 'status, project_id, submitted_at, id');
  await createIndex(c, 'runs', 'fleet_id', { where: 'fleet_id is not null' });
  await createIndex(c, 'runs', 'gateway_id', { where: 'gateway_id is not null' });
  await createIndex(c, 'runs', 'next_pass_at', { where: 'next_pass_at is not null' });
}

async function createJobs(c: MigrationContext): Promise<void> {
  await createTable(c, 'jobs', {
    id: 'text!',
    run_id: 'text! -> runs',
    project_id: 'text! -> projects',
    job_num: 'int!',
    replica_num: 'int!',
    submission_num: 'int!',
    deployment_num: 'int!',
    name: 'text!',
    spec: 'json!',
    status: 'text!',
    termination_reason: 'text',
    termination_message: 'text',
    exit_status: 'int',
    instance_id: 'text -> instances',
    claimed_blocks: 'int!',
    provisioning_data: 'json',
    runtime_data: 'json',
    submitted_at: 'big!',
    provisioned_at: 'big',
    running_at: 'big',
    finished_at: 'big',
    status_changed_at: 'big!',
    stop_requested_at: 'big',
    stop_graceful: 'bool!',
    disconnected_at: 'big',
    inactivity_secs: 'big',
    registered: 'bool!',
    ready: 'bool!',
    version: 'int!',
  });
  await createIndex(c, 'jobs', 'run_id, replica_num, job_num, submission_num', { unique: true });
  await createIndex(c, 'jobs', 'instance_id', { where: 'instance_id is not null' });
  await createIndex(c, 'jobs', 'status, project_id');
  await createIndex(c, 'jobs', 'project_id, submitted_at');
}

async function createProgress(c: MigrationContext): Promise<void> {
  await createTable(
    c,
    'job_reports',
    {
      job_id: 'text! => jobs',
      host_id: 'text!',
      seq: 'big!',
      state: 'json!',
      received_at: 'big!',
    },
    ['job_id'],
  );
  await createTable(c, 'job_pulls', { job_id: 'text! => jobs', progress: 'json!' }, ['job_id']);
  await createTable(c, 'job_logs', { job_id: 'text! => jobs', stored: 'big!' }, ['job_id']);

  await createTable(c, 'probes', {
    id: 'text!',
    job_id: 'text! => jobs',
    probe_num: 'int!',
    success_streak: 'int!',
    due: 'big',
  });
  await createIndex(c, 'probes', 'job_id, probe_num', { unique: true });
  await createIndex(c, 'probes', 'due', { where: 'due is not null' });

  await createTable(
    c,
    'job_metrics_points',
    {
      job_id: 'text! => jobs',
      timestamp_micro: 'big!',
      cpu_usage_micro: 'big!',
      memory_usage_bytes: 'big!',
      memory_working_set_bytes: 'big!',
      gpus: 'json!',
    },
    ['job_id', 'timestamp_micro'],
  );
  await createIndex(c, 'job_metrics_points', 'timestamp_micro');
}
