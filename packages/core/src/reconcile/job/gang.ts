/** Nodes of one replica start together, in the order that the user has configured. */
import type { StartupOrder } from '@dstack/contract';
import type { JobRecord } from '../../model/index.ts';
import { mergedProfile } from '../../profile/merge.ts';
import { groupMembers } from '../../run-spec/group-references.ts';
import { isJobRunning } from '../../status/index.ts';
import type { RunPass } from '../run/run-pass.ts';
import { groupMemberJob, nodeAddress } from './node-address.ts';

/** More than one node: its processes need each other's addresses. */
export const isGang = (job: JobRecord): boolean => (job.spec.jobs_per_replica ?? 1) > 1;

/** Whether the job can be pulled but not started before facts about other jobs are known. */
export const isHeld = (job: JobRecord): boolean =>
  isGang(job) || groupMembers(job.spec.commands).length > 0;

export function startupOrder(pass: RunPass): StartupOrder {
  return mergedProfile(pass.run.spec).startup_order ?? 'any';
}

export function endsWithMaster(pass: RunPass): boolean {
  return mergedProfile(pass.run.spec).stop_criteria === 'master-done';
}

/**
 * A held job may run once its replica is complete, its turn has come, and every address that its
 * commands mention is known.
 */
export function releaseFromHold(pass: RunPass, job: JobRecord): void {
  if (pass.draft.lastIntent('job.release', job.id) !== null) return;
  if (isGang(job) && !mayStart(pass, job)) return;
  const { latest } = pass;
  const mentioned = groupMembers(job.spec.commands).map((member) =>
    groupMemberJob(pass.run, job, latest, member),
  );
  if (!mentioned.every((one) => one !== null && nodeAddress(one) !== null)) return;
  pass.draft.announce(job.id, { kind: 'job.release' });
}

function mayStart(pass: RunPass, job: JobRecord): boolean {
  const nodes = pass.latest.filter((one) => one.replicaNum === job.replicaNum);
  if (nodes.length < (job.spec.jobs_per_replica ?? 1)) return false;
  if (!nodes.every((node) => nodeAddress(node) !== null && isPulled(pass, node))) return false;
  return isItsTurn(startupOrder(pass), job, nodes);
}

/**
 * Nodes wait for the slowest image: otherwise a launcher would find no process on the others, and
 * the time-outs of a rendezvous would run during a download.
 */
export function isPulled(pass: RunPass, job: JobRecord): boolean {
  const phase = pass.reportOf(job)?.state.phase;
  return phase === 'held' || pass.draft.lastIntent('job.release', job.id) !== null;
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
