import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ClusterInfo, HostGpu, JobSpecForAgent, JobState } from '@dstack/contract/agent';
import type { Executor } from '../executor/executor.ts';
import type { JobAccount } from '../executor/job-account.ts';
import type { BootMoment } from './duration-limit.ts';
import type { JobNotice } from './job-notice.ts';
import { isLive } from './job-phase.ts';
import type { StopRequest } from './stop-plan.ts';

/** Everything that an agent needs to recover a job. One file per job. */
export interface AgentJobRecord {
  readonly spec: JobSpecForAgent;
  /** The kind of executor that runs it; absent if an older agent wrote the record. */
  readonly executor?: Executor['kind'];
  readonly state: JobState;
  /** Number of the newest `state` frame of this job. */
  readonly stateNumber: number;
  readonly cluster: ClusterInfo | null;
  readonly gpus: readonly HostGpu[];
  readonly stop: StopRequest | null;
  /** Why the job has to leave the host, and when; absent = it may stay. */
  readonly notice?: JobNotice | null;
  /**
   * Milliseconds since the epoch when `max_duration` ends; null before the start or without a
   * limit.
   */
  readonly deadline: number | null;
  /** The same by the host's monotonic clock, which counts; absent if an older agent wrote the record. */
  readonly endsAt?: BootMoment | null;
  readonly account: JobAccount | null;
  /** Milliseconds since the epoch when the command was started. */
  readonly runningAt: number | null;
  /**
   * The boot of the host in which it was started; null before the start, or if an older agent wrote
   * the record.
   */
  readonly bootId?: string | null;
  /** Milliseconds since the epoch of the `DELETE`. The rest of the job is removed soon after. */
  readonly deletedAt: number | null;
}

export function jobsDirectory(stateDir: string): string {
  return join(stateDir, 'jobs');
}

/** The records of all jobs below a directory. Unreadable ones are reported, not thrown. */
export function readRecords(
  jobsDir: string,
  onBroken: (path: string, error: unknown) => void,
): AgentJobRecord[] {
  if (!existsSync(jobsDir)) return [];
  return readdirSync(jobsDir).flatMap((id) => {
    const path = join(jobsDir, id, 'record.json');
    try {
      return existsSync(path) ? [JSON.parse(readFileSync(path, 'utf8')) as AgentJobRecord] : [];
    } catch (error) {
      onBroken(path, error);
      return [];
    }
  });
}

/**
 * The kind of executor that live jobs of an earlier agent need; null if there are no such jobs. No
 * other kind can observe or stop them. A restart of the host has ended the jobs of its earlier boots.
 */
export function executorOfLiveJobs(
  records: readonly AgentJobRecord[],
  boot: string,
): Executor['kind'] | null {
  const live = records.filter(
    ({ state, deletedAt, bootId }) =>
      deletedAt === null && isLive(state.phase) && (bootId ?? boot) === boot,
  );
  return live.find((record) => record.executor !== undefined)?.executor ?? null;
}

/**
 * The spec without secrets that only the start needs. Keys for the job's SSH server stay, and
 * masked values while output may have to be read again.
 */
export function withoutSecrets(spec: JobSpecForAgent, keepMasks: boolean): JobSpecForAgent {
  return {
    ...spec,
    env: {},
    registry_auth: null,
    job_private_key: null,
    repo: spec.repo && { ...spec.repo, private_key: null, oauth_token: null, clone_url: null },
    masked_values: keepMasks ? spec.masked_values : [],
  };
}
