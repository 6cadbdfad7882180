import type { Run } from '@dstack/contract/wire';

/** A run as the API returns it; only what differs has to be stated. */
export function aRun(name: string, more: Partial<Run> = {}): Run {
  const submission = {
    id: `${name}-submission`,
    submission_num: 0,
    deployment_num: 0,
    submitted_at: '2026-11-26T12:00:00Z',
    last_processed_at: '2026-11-26T12:00:05Z',
    finished_at: null,
    inactivity_secs: null,
    status: 'running',
    status_message: 'running',
    termination_reason: null,
    termination_reason_message: null,
    exit_status: null,
    job_provisioning_data: null,
    job_runtime_data: null,
    error: null,
    probes: [],
    image_pull_progress: null,
  };
  return {
    id: `00000000-0000-4000-8000-${name.padEnd(12, '0').slice(0, 12)}`,
    project_name: 'main',
    user: 'ada',
    fleet: null,
    submitted_at: '2026-11-26T12:00:00Z',
    last_processed_at: '2026-11-26T12:00:05Z',
    status: 'running',
    status_message: 'running',
    termination_reason: null,
    run_spec: { run_name: name, configuration: { type: 'task', name, commands: ['true'] } },
    jobs: [
      {
        job_spec: {
          job_name: `${name}-0-0`,
          replica_num: 0,
          job_num: 0,
          replica_group: '0',
          app_specs: [],
          probes: [],
        },
        job_submissions: [submission],
        job_connection_info: null,
      },
    ],
    latest_job_submission: submission,
    cost: 0,
    service: null,
    deployment_num: 0,
    error: null,
    deleted: null,
    next_triggered_at: null,
    ...more,
  } as unknown as Run;
}
