/** Which jobs have to leave their instances, because these are drained or others are entitled to their places. */
import { windowText } from '../../maintenance/index.ts';
import type { EvictionRecord, InstanceRecord, JobRecord, Timestamp } from '../../model/index.ts';
import { SECOND } from '../../model/values.ts';
import { drainDeadline, isJobFinished, NOTICE_GRACE } from '../../status/index.ts';
import type { RunPass } from '../run/run-pass.ts';

export interface InstanceDrain {
  readonly message: string;
  readonly since: Timestamp;
  readonly deadline: Timestamp;
  /** The provider takes the machine back. */
  readonly isTakenBack?: true;
  /** Its fleet is in maintenance from then on: until then, jobs that end in time may begin there. */
  readonly isWindow?: true;
}

function drainOn(instance: InstanceRecord | null): InstanceDrain | null {
  const scheduling = instance?.scheduling ?? null;
  if (instance === null || scheduling === null) return null;
  const deadline = drainDeadline(scheduling);
  if (deadline === null) return null;
  const { by, reason, since, isTakenBack } = scheduling;
  const why = reason === null ? '' : `: ${reason}`;
  if (isTakenBack) {
    return { message: `${by} takes ${instance.name} back${why}`, since, deadline, isTakenBack };
  }
  return { message: `${instance.name} is drained by ${by}${why}`, since, deadline };
}

/** Also where the notice comes late, jobs have the grace of a drain. */
function maintenanceOf(pass: RunPass, instance: InstanceRecord | null): InstanceDrain | null {
  const use = instance && pass.draft.fleetUse(instance.fleetId);
  const window = use?.fleet.maintenance ?? null;
  if (!use || window === null) return null;
  const { since, startsAt } = window;
  return {
    message: `fleet ${use.fleet.name} is in maintenance ${windowText(window)}`,
    since,
    deadline: Math.max(startsAt, since + NOTICE_GRACE),
    isWindow: true,
  };
}

/** The earliest drain of the instances that the nodes of the job's replica use. */
export function drainOf(pass: RunPass, job: JobRecord): InstanceDrain | null {
  const drains = pass.latest
    .filter((one) => one.replicaNum === job.replicaNum && !isJobFinished(one.status))
    .flatMap((one) => {
      const instance = pass.instanceOf(one);
      return [drainOn(instance), maintenanceOf(pass, instance)].filter((drain) => drain !== null);
    });
  return drains.sort((a, b) => a.deadline - b.deadline)[0] ?? null;
}

/** Whether an instance of the replica is drained. */
export const isLeaving = (pass: RunPass, job: JobRecord): boolean => drainOf(pass, job) !== null;

const MESSAGES: Readonly<Record<EvictionRecord['kind'], string>> = {
  reclaim: 'another project takes back capacity that it is guaranteed',
  priority: 'a run of higher priority in its project takes its place',
};

/** The request that the job's replica gives its places to a gang that still waits for them. */
export function evictionOf(pass: RunPass, job: JobRecord): InstanceDrain | null {
  const asked = pass.latest
    .filter((one) => one.replicaNum === job.replicaNum && !isJobFinished(one.status))
    .flatMap(({ eviction }) => (eviction && isAskedStill(pass, eviction) ? [eviction] : []));
  const [first] = asked.sort((a, b) => deadlineOf(a) - deadlineOf(b));
  if (first === undefined) return null;
  const { kind, requestedAt: since } = first;
  return { message: MESSAGES[kind], since, deadline: deadlineOf(first) };
}

const deadlineOf = ({ requestedAt, seconds }: EvictionRecord): Timestamp =>
  requestedAt + seconds * SECOND;

export function isAskedStill(
  { snapshot }: Pick<RunPass, 'snapshot'>,
  { runId, replicaNum }: EvictionRecord,
): boolean {
  return snapshot.askers?.has(`${runId} ${replicaNum}`) === true;
}

/** Why the job has to leave its instance, whichever comes first. */
export function leaveOf(pass: RunPass, job: JobRecord): InstanceDrain | null {
  const [drain, eviction] = [drainOf(pass, job), evictionOf(pass, job)];
  if (drain === null || eviction === null) return drain ?? eviction;
  return eviction.deadline < drain.deadline ? eviction : drain;
}
