/** Which jobs have to leave their instances, because these are drained. */
import type { InstanceRecord, JobRecord, Timestamp } from '../../model/index.ts';
import { drainDeadline, isJobFinished } from '../../status/index.ts';
import type { RunPass } from '../run/run-pass.ts';

export interface InstanceDrain {
  readonly message: string;
  readonly since: Timestamp;
  readonly deadline: Timestamp;
}

function drainOn(instance: InstanceRecord | null): InstanceDrain | null {
  const scheduling = instance?.scheduling ?? null;
  if (instance === null || scheduling === null) return null;
  const deadline = drainDeadline(scheduling);
  if (deadline === null) return null;
  const { by, reason, since } = scheduling;
  const why = reason === null ? '' : `: ${reason}`;
  return { message: `${instance.name} is drained by ${by}${why}`, since, deadline };
}

/** The earliest drain of the instances that the nodes of the job's replica use. */
export function drainOf(pass: RunPass, job: JobRecord): InstanceDrain | null {
  const drains = pass.latest
    .filter((one) => one.replicaNum === job.replicaNum && !isJobFinished(one.status))
    .flatMap((one) => drainOn(pass.instanceOf(one)) ?? []);
  return drains.sort((a, b) => a.deadline - b.deadline)[0] ?? null;
}

/** Whether an instance of the replica is drained. */
export const isLeaving = (pass: RunPass, job: JobRecord): boolean => drainOf(pass, job) !== null;
