/** The closed vocabularies of the wire (dstack 0.22.5), lower case. */

export type RunStatus =
  | 'pending'
  | 'submitted'
  | 'provisioning'
  | 'running'
  | 'terminating'
  | 'terminated'
  | 'failed'
  | 'done';

export type JobStatus =
  | 'submitted'
  | 'provisioning'
  | 'pulling'
  | 'running'
  | 'terminating'
  | 'terminated'
  | 'aborted'
  | 'failed'
  | 'done';

export type InstanceStatus =
  | 'pending'
  | 'provisioning'
  | 'idle'
  | 'busy'
  | 'terminating'
  | 'terminated';

export type FleetStatus = 'submitted' | 'active' | 'terminating' | 'terminated' | 'failed';

export type HealthStatus = 'healthy' | 'warning' | 'failure';

export type RunTerminationReason =
  | 'all_jobs_done'
  | 'job_failed'
  | 'retry_limit_exceeded'
  | 'stopped_by_user'
  | 'aborted_by_user'
  | 'server_error'
  | 'gateway_error';

export type JobTerminationReason =
  | 'failed_to_start_due_to_no_capacity'
  | 'interrupted_by_no_capacity'
  | 'instance_unreachable'
  | 'instance_access_revoked'
  | 'waiting_instance_limit_exceeded'
  | 'waiting_runner_limit_exceeded'
  | 'terminated_by_user'
  | 'volume_error'
  | 'gateway_error'
  | 'scaled_down'
  | 'done_by_runner'
  | 'aborted_by_user'
  | 'terminated_by_server'
  | 'inactivity_duration_exceeded'
  | 'terminated_due_to_utilization_policy'
  | 'container_exited_with_error'
  | 'ports_binding_failed'
  | 'creating_container_error'
  | 'executor_error'
  | 'max_duration_exceeded'
  | 'log_quota_exceeded';

export type InstanceTerminationReason =
  | 'terminated_by_user'
  | 'idle_timeout'
  | 'provisioning_timeout'
  | 'error'
  | 'job_finished'
  | 'unreachable'
  | 'no_offers'
  | 'master_failed'
  | 'max_instances_limit'
  | 'fleet_spec_mismatch'
  | 'no_balance';
