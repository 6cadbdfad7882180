import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ClusterInfo, HostGpu, JobSpecForAgent, JobState } from '@dstack/contract/agent';
import type { JobAccount } from '../executor/job-account.ts';
import type { StopRequest } from './stop-plan.ts';

/** Everything the agent must know about a job after its own death. One file per job. */
export interface JobRecord {
  readonly spec: JobSpecForAgent;
  readonly state: JobState;
  /** Number of the newest `state` frame about this job. */
  readonly stateNumber: number;
  readonly cluster: ClusterInfo | null;
  readonly gpus: readonly HostGpu[];
  readonly stop: StopRequest | null;
  /** Milliseconds since the epoch when `max_duration` is over; null before the start or without it. */
  readonly deadline: number | null;
  readonly account: JobAccount | null;
  /** Milliseconds since the epoch when the command was started. */
  readonly runningAt: number | null;
  /** The boot of the machine in which it was started; null before, or where an older agent wrote it. */
  readonly bootId?: string | null;
  /** Milliseconds since the epoch of the `DELETE`; what is left is a tombstone. */
  readonly deletedAt: number | null;
}

/** Records of all jobs below a directory; what cannot be read is reported, not thrown. */
export function readRecords(
  jobsDir: string,
  onBroken: (path: string, error: unknown) => void,
): JobRecord[] {
  if (!existsSync(jobsDir)) return [];
  return readdirSync(jobsDir).flatMap((id) => {
    const path = join(jobsDir, id, 'record.json');
    try {
      return existsSync(path) ? [JSON.parse(readFileSync(path, 'utf8')) as JobRecord] : [];
    } catch (error) {
      onBroken(path, error);
      return [];
    }
  });
}

/**
 * The spec without what only the start needs. What stays: keys for the job's SSH server, and masked
 * values while output may still have to be read again.
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
