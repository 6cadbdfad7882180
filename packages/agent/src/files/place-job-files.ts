import { writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { ExecutorJob } from '../executor/executor.ts';
import { mpiHostfile } from '../executor/job-environment.ts';
import { JobFailure } from '../executor/job-failure.ts';
import { placeIn } from '../executor/place-in.ts';
import { type JobNamespace, openNamespace } from '../process/isolation/namespace.ts';
import type { JobPlacesOnHost } from '../process/job-places.ts';
import { enterNamespaces } from '../process/run-as.ts';
import { networkEnvironment } from './git-runner.ts';
import type { HostPlacement } from './host-placement.ts';
import { placeAs } from './place-as.ts';
import { withReadableFiles } from './readable-certificates.ts';

/** Places the repo and the files of a process job. Throws `JobFailure`. */
export async function placeJobFiles(
  job: ExecutorJob,
  places: JobPlacesOnHost,
  signal: AbortSignal,
): Promise<void> {
  const { folder, cluster } = job;
  refuseHidden(job, places);
  await writeFile(folder.hostfile, mpiHostfile(cluster), { mode: 0o644 });
  let namespace: JobNamespace | null = null;
  // Opened on demand, since most jobs have no files.
  const enter = async () => {
    namespace = places.namespace && (await openNamespace(places.namespace));
    return enterNamespaces(namespace?.pid ?? null);
  };
  try {
    const reach = () => withReadableFiles(networkEnvironment(), dirname(folder.work));
    await placeAs(places.account, hostPlacement(job, places), folder, signal, { enter, reach });
  } finally {
    await (namespace as JobNamespace | null)?.close();
  }
}

/** A mount that is made later would hide files below it. */
function refuseHidden(
  { spec }: ExecutorJob,
  { account, cwd, repoDir, later }: JobPlacesOnHost,
): void {
  const files = spec.file_archives.map(({ path }) => placeIn(path, account.home, cwd));
  const repo = repoDir !== null && spec.repo?.type !== 'virtual' ? [repoDir] : [];
  for (const { target } of later) {
    const hidden = [...repo, ...files].find((path) => `${path}/`.startsWith(`${target}/`));
    if (hidden === undefined) continue;
    const message = `${hidden} lies in the volume at ${target}, which hides the files of jobs without containers: choose another path`;
    throw new JobFailure('executor_error', message);
  }
}

function hostPlacement(
  { spec, cluster, folder }: ExecutorJob,
  { account, cwd, repoDir }: JobPlacesOnHost,
): HostPlacement {
  const { id, repo, file_archives, jobs_per_replica, job_private_key } = spec;
  const { work, stage } = folder;
  return {
    id,
    spec: { repo, file_archives, jobs_per_replica, job_private_key },
    cluster,
    home: account.home,
    cwd,
    repoDir,
    work,
    stage,
    // All of the agent's state, and the folders of all jobs.
    reserved: [dirname(dirname(folder.path)), dirname(dirname(work))],
  };
}
