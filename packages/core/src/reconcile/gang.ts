/** Nodes of one replica start together, in the order the user wants. */
import type { JobRecord } from '../model/index.ts';
import { mergedProfile } from '../profile/merge.ts';
import { isJobRunning } from '../status/index.ts';
import type { RunPass } from './run-pass.ts';

export type StartupOrder = 'any' | 'master-first' | 'workers-first';

/** More than one node: its processes wait for each other's addresses. */
export const isGang = (job: JobRecord): boolean => (job.spec.jobs_per_replica ?? 1) > 1;

export function startupOrder(pass: RunPass): StartupOrder {
  return mergedProfile(pass.run.spec).startup_order ?? 'any';
}

export function endsWithMaster(pass: RunPass): boolean {
  return mergedProfile(pass.run.spec).stop_criteria === 'master-done';
}

/** A held job runs once every node of its replica has an address and its turn has come. */
export function releaseFromHold(pass: RunPass, job: JobRecord): void {
  if (pass.draft.lastIntent('job.release', job.id) !== null) return;
  const nodes = pass.latest.filter((one) => one.replicaNum === job.replicaNum);
  if (nodes.length < (job.spec.jobs_per_replica ?? 1)) return;
  if (!nodes.every(hasAddress) || !isItsTurn(startupOrder(pass), job, nodes)) return;
  pass.draft.announce(job.id, { kind: 'job.release' });
}

function hasAddress(job: JobRecord): boolean {
  const data = job.provisioningData;
  return Boolean(data && (data.internal_ip || data.hostname));
}

function isItsTurn(order: StartupOrder, job: JobRecord, nodes: readonly JobRecord[]): boolean {
  const master = job.jobNum === 0;
  const running = (one: JobRecord) => isJobRunning(one.status);
  switch (order) {
    case 'any':
      return true;
    case 'master-first':
      return master || nodes.some((one) => one.jobNum === 0 && running(one));
    case 'workers-first':
      return !master || nodes.every((one) => one.jobNum === 0 || running(one));
  }
}
