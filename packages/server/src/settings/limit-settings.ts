import { integerVariable, isSet, type ProcessEnv, SettingsError } from '@dstack/contract';
import type { CloneLimits } from '@dstack/contract/agent';
import { seconds } from './bounded-variables.ts';
import { gatewayReplicas } from './gateway-settings.ts';

/** The most that callers, users and runs may take. */
export interface Limits {
  /** Bytes of one uploaded archive or diff; 0 = no limit. */
  readonly codeUpload: number;
  /** The size and time that the clone of a job's repo may take on its host. */
  readonly clone: CloneLimits;
  /** Bytes of output per job and hour; 0 = no limit. */
  readonly logQuotaPerHour: number;
  /** Maximum number of simultaneous jobs of a run: nodes, or replicas. */
  readonly maxJobsPerRun: number;
  /** Runs of one user without a running job, in all projects; 0 = no limit. */
  readonly waitingRunsPerUser: number;
  readonly maxProbes: number;
  readonly maxProbeTimeout: number;
  /** Seconds between two changes of the health of a host that are stored. */
  readonly healthIntervalSeconds: number;
  readonly projectsPerUser: number;
  /** Wrong tokens per minute that one address may send; 0 = no limit. */
  readonly failedLoginsPerMinute: number;
  /** Connections of strangers that wait for a request (`DSTACK_SERVER_MAX_IDLE_CONNECTIONS`). */
  readonly connections: number;
  /** Memory for the bodies of all requests together, in bytes. */
  readonly requestMemory: number;
  /**
   * Time limit of a request's body in seconds; a large one may take longer while it keeps arriving.
   */
  readonly bodyTimeoutSeconds: number;
  readonly gatewayReplicas: number;
  readonly forbidDstackInRuns: boolean;
  readonly forbidServicesWithoutGateway: boolean;
}

/** The default for one user. Placement takes longer with each waiting run that differs from the others. */
const DEFAULT_WAITING_RUNS = 2000;

export function limits(env: ProcessEnv): Limits {
  return {
    codeUpload: integerVariable(env, 'DSTACK_SERVER_CODE_UPLOAD_LIMIT', 2_097_152),
    clone: {
      bytes: integerVariable(env, 'DSTACK_SERVER_CLONE_MAX_SIZE', 10_737_418_240) || null,
      seconds: seconds(env, 'DSTACK_SERVER_CLONE_TIMEOUT', 1800) || null,
    },
    logQuotaPerHour: integerVariable(env, 'DSTACK_SERVER_LOG_QUOTA_PER_JOB_HOUR', 52_428_800),
    maxJobsPerRun: integerVariable(env, 'DSTACK_SERVER_MAX_JOBS_PER_RUN', 500),
    waitingRunsPerUser: integerVariable(
      env,
      'DSTACK_SERVER_MAX_WAITING_RUNS_PER_USER',
      DEFAULT_WAITING_RUNS,
    ),
    maxProbes: integerVariable(env, 'DSTACK_SERVER_MAX_PROBES_PER_JOB', 10),
    maxProbeTimeout: integerVariable(env, 'DSTACK_SERVER_MAX_PROBE_TIMEOUT', 300),
    healthIntervalSeconds: integerVariable(
      env,
      'DSTACK_SERVER_INSTANCE_HEALTH_MIN_COLLECT_INTERVAL_SECONDS',
      10,
    ),
    forbidDstackInRuns: isSet(env, 'DSTACK_FORBID_DSTACK_IN_RUNS'),
    forbidServicesWithoutGateway: isSet(env, 'DSTACK_FORBID_SERVICES_WITHOUT_GATEWAY'),
    gatewayReplicas: gatewayReplicas(env),
    failedLoginsPerMinute: integerVariable(env, 'DSTACK_SERVER_FAILED_LOGINS_PER_MINUTE', 60),
    connections: integerVariable(env, 'DSTACK_SERVER_MAX_IDLE_CONNECTIONS', 20_000),
    requestMemory: requestMemory(env),
    bodyTimeoutSeconds: integerVariable(env, 'DSTACK_SERVER_BODY_TIMEOUT', 30),
    projectsPerUser: integerVariable(env, 'DSTACK_USER_PROJECT_DEFAULT_QUOTA', 10),
  };
}

/** With less, a large image in a chat would exceed every caller's share. */
const LEAST_REQUEST_MEMORY = 48 * 1024 * 1024;

function requestMemory(env: ProcessEnv): number {
  const bytes = integerVariable(env, 'DSTACK_SERVER_REQUEST_MEMORY', 134_217_728);
  if (bytes >= LEAST_REQUEST_MEMORY) return bytes;
  throw new SettingsError(
    `DSTACK_SERVER_REQUEST_MEMORY is ${bytes}; it may be at least ${LEAST_REQUEST_MEMORY} bytes (48 MiB)`,
  );
}
