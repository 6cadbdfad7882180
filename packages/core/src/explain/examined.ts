/** Which of a run's waiting gangs an explanation examines. */
import type { JobRecord } from '../model/index.ts';
import { isJobSubmitted } from '../status/index.ts';

/** The most demand classes examined; a run has one for each kind of replica group. */
const CLASSES = 5;

/** The demand class of a job; jobs submitted by older servers have none and count as their own. */
export const demandOrId = ({ demand, id }: JobRecord): string => demand ?? id;

/**
 * The first job of each gang to examine: of every demand class the lowest replica, because placement
 * finds the same for the others. The position in the queue is read for these jobs only.
 */
export function examinedJobs(jobs: readonly JobRecord[]): JobRecord[] {
  const byDemand = new Map<string, JobRecord>();
  for (const job of jobs.filter(isWaitingHead).sort((a, b) => a.replicaNum - b.replicaNum)) {
    if (!byDemand.has(demandOrId(job))) byDemand.set(demandOrId(job), job);
  }
  return [...byDemand.values()].slice(0, CLASSES);
}

function isWaitingHead({ status, instanceId, jobNum, stopRequestedAt }: JobRecord): boolean {
  return isJobSubmitted(status) && instanceId === null && jobNum === 0 && stopRequestedAt === null;
}
