import type { ExecutorJob } from '../executor/executor.ts';
import type { HostMount } from '../executor/host-mounts.ts';
import type { JobAccount } from '../executor/job-account.ts';
import type { NamespaceStep } from './isolation/namespace.ts';

export interface JobPlacesOnHost {
  readonly account: JobAccount;
  readonly cwd: string;
  readonly repoDir: string | null;
  /** Mounts inside the job's own folders. They are made after these folders were emptied. */
  readonly later: readonly HostMount[];
  /** The job's mount namespace without those mounts; null = the machine's own. */
  readonly namespace: readonly NamespaceStep[] | null;
}

/** Places the repo and the files of a job. Throws `JobFailure`. */
export type PlaceJobFiles = (
  job: ExecutorJob,
  places: JobPlacesOnHost,
  signal: AbortSignal,
) => Promise<void>;
