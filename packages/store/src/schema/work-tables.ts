import type { PullProgress } from '@dstack/contract/agent';
import type {
  FleetRecord,
  HostHealthRecord,
  HostRecord,
  InstanceRecord,
  IntentRecord,
  JobRecord,
  JobReport,
  ObservationRecord,
  RunRecord,
} from '@dstack/core';
import { table } from './table.ts';
import type { HealthCheckRecord, ProbeRecord } from './work-records.ts';

export const runTable = table<RunRecord>()('runs', {
  id: 'plain',
  projectId: 'plain',
  userId: 'plain',
  name: 'plain',
  spec: 'json',
  status: 'plain',
  terminationReason: 'plain',
  priority: 'plain',
  deploymentNum: 'plain',
  desiredReplicas: 'json',
  rollout: 'json',
  autoscaling: 'json',
  resubmissionAttempt: 'plain',
  fleetId: 'plain',
  gatewayId: 'plain',
  serviceSpec: 'json',
  submittedAt: 'plain',
  dependencyState: 'plain',
  lastOutcome: 'plain',
  hold: 'json',
  arrayId: 'plain',
  arrayIndex: 'plain',
  arraySince: 'plain',
  arraySeen: 'plain',
  eligibleAt: 'plain',
  lastProcessedAt: 'plain',
  nextTriggeredAt: 'plain',
  nextPassAt: 'plain',
  deleted: 'bool',
  version: 'plain',
});

export const jobTable = table<JobRecord>()('jobs', {
  id: 'plain',
  runId: 'plain',
  projectId: 'plain',
  jobNum: 'plain',
  replicaNum: 'plain',
  submissionNum: 'plain',
  deploymentNum: 'plain',
  name: 'plain',
  spec: 'json',
  status: 'plain',
  terminationReason: 'plain',
  terminationMessage: 'plain',
  exitStatus: 'plain',
  hostFault: 'plain',
  notice: 'json',
  refusal: 'json',
  waitingSince: 'plain',
  reserved: 'json',
  timeLimit: 'json',
  demand: 'plain',
  priority: 'plain',
  queuedAt: 'plain',
  attempt: 'plain',
  resumeCount: 'plain',
  instanceId: 'plain',
  claimedBlocks: 'plain',
  charge: 'json',
  eviction: 'json',
  reclaim: 'json',
  provisioningData: 'json',
  runtimeData: 'json',
  submittedAt: 'plain',
  provisionedAt: 'plain',
  runningAt: 'plain',
  finishedAt: 'plain',
  statusChangedAt: 'plain',
  stopRequestedAt: 'plain',
  stopGraceful: 'bool',
  disconnectedAt: 'plain',
  inactivitySecs: 'plain',
  registered: 'bool',
  ready: 'bool',
  version: 'plain',
});

export const instanceTable = table<InstanceRecord>()('instances', {
  id: 'plain',
  projectId: 'plain',
  fleetId: 'plain',
  instanceNum: 'plain',
  name: 'plain',
  backend: 'plain',
  region: 'plain',
  price: 'plain',
  status: 'plain',
  unreachable: 'bool',
  health: 'plain',
  healthMessage: 'plain',
  hostTrouble: 'json',
  scheduling: 'json',
  provisioningJobId: 'plain',
  offer: 'json',
  provisioningData: 'json',
  totalBlocks: 'plain',
  busyBlocks: 'plain',
  requirements: 'json',
  profile: 'json',
  idleSeconds: 'plain',
  groupId: 'plain',
  handle: 'json',
  hostId: 'plain',
  address: 'plain',
  hostFacts: 'json',
  terminationReason: 'plain',
  terminationMessage: 'plain',
  createdAt: 'plain',
  startedAt: 'plain',
  pricedSince: 'plain',
  finishedAt: 'plain',
  deletedAt: 'plain',
  lastJobFinishedAt: 'plain',
  statusChangedAt: 'plain',
  unreachableSince: 'plain',
  nextPassAt: 'plain',
  deleted: 'bool',
  version: 'plain',
});

export const fleetTable = table<FleetRecord>()('fleets', {
  id: 'plain',
  projectId: 'plain',
  name: 'plain',
  spec: 'json',
  status: 'plain',
  statusMessage: 'plain',
  createdAt: 'plain',
  consolidationAttempt: 'plain',
  lastConsolidatedAt: 'plain',
  masterInstanceId: 'plain',
  maintenance: 'json',
  nextPassAt: 'plain',
  deleted: 'bool',
  version: 'plain',
});

export const intentTable = table<IntentRecord>()('intents', {
  key: 'plain',
  kind: 'plain',
  subjectId: 'plain',
  attempt: 'plain',
  payload: 'json',
  state: 'plain',
  result: 'json',
  error: 'plain',
  createdAt: 'plain',
  updatedAt: 'plain',
});

export const hostTable = table<HostRecord>()('hosts', {
  id: 'plain',
  connected: 'bool',
  since: 'plain',
  facts: 'json',
  executor: 'plain',
  error: 'plain',
  failed: 'bool',
});

export const observationTable = table<ObservationRecord>()('observations', {
  instanceId: 'plain',
  observation: 'json',
  since: 'plain',
  checkedAt: 'plain',
  error: 'plain',
  nextPassAt: 'plain',
});

export const hostHealthTable = table<HostHealthRecord>()('host_health', {
  hostId: 'plain',
  checks: 'json',
  since: 'plain',
  reportedAt: 'plain',
});

/** The state contains `seq` too; the guarded write compares its column. */
export const reportTable = table<Omit<JobReport, 'pull'> & { readonly seq: number }>()(
  'job_reports',
  { jobId: 'plain', hostId: 'plain', state: 'json', receivedAt: 'plain', seq: 'plain' },
);

export const pullTable = table<{ readonly jobId: string; readonly progress: PullProgress }>()(
  'job_pulls',
  { jobId: 'plain', progress: 'json' },
);

export const logTable = table<{ readonly jobId: string; readonly stored: number }>()('job_logs', {
  jobId: 'plain',
  stored: 'plain',
});

export const probeTable = table<ProbeRecord>()('probes', {
  id: 'plain',
  jobId: 'plain',
  probeNum: 'plain',
  successStreak: 'plain',
  due: 'plain',
});

export interface MetricsPointRow {
  readonly jobId: string;
  readonly timestampMicro: number;
  readonly cpuUsageMicro: number;
  readonly memoryUsageBytes: number;
  readonly memoryWorkingSetBytes: number;
  readonly gpus: readonly { readonly memory_usage_bytes: number; readonly util_percent: number }[];
}

export const pointTable = table<MetricsPointRow>()('job_metrics_points', {
  jobId: 'plain',
  timestampMicro: 'plain',
  cpuUsageMicro: 'plain',
  memoryUsageBytes: 'plain',
  memoryWorkingSetBytes: 'plain',
  gpus: 'json',
});

export const healthCheckTable = table<HealthCheckRecord>()('instance_health_checks', {
  id: 'plain',
  instanceId: 'plain',
  status: 'plain',
  response: 'plain',
  collectedAt: 'plain',
});
