import { writeFile } from 'node:fs/promises';
import type { ExecutorJob, JobAccount } from '../jobs/executor.ts';

export interface HostPlaces {
  readonly account: JobAccount;
  readonly cwd: string;
  readonly repoDir: string | null;
  /** Text of the MPI host file. */
  readonly hostfile: string;
}

/** Puts everything that a job brings along where it will look for it. Throws `JobFailure`. */
export async function placeOnHost(
  job: ExecutorJob,
  places: HostPlaces,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  await writeFile(`${job.folder.path}/mpi-hostfile`, places.hostfile, { mode: 0o644 });
}
