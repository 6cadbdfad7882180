/** The order in which a pass examines waiting gangs. */
import type { Gang, Id, JobRecord, PlacementSnapshot, RunRecord } from '../model/index.ts';
import { isJobSubmitted, isRunActive } from '../status/index.ts';
import { type GangRequest, gangRequest } from './gang-request.ts';
import type { CapacityLedger } from './ledger.ts';

/** A gang with its place in the queue. */
export interface QueuedGang {
  readonly gang: Gang;
  readonly request: GangRequest;
  /** Set for a run of another project, which its own pass places: the fleets that both may use. */
  readonly shared: ReadonlySet<Id> | null;
}

/** Highest priority first, then oldest, then by id, so that all passes use the same order. */
export function byUrgency(
  a: Pick<RunRecord, 'priority' | 'submittedAt' | 'id'>,
  b: Pick<RunRecord, 'priority' | 'submittedAt' | 'id'>,
): number {
  return b.priority - a.priority || a.submittedAt - b.submittedAt || (a.id < b.id ? -1 : 1);
}

/** The gangs to place, and gangs of other projects that compete for the same fleets. */
export function queueOf(snapshot: PlacementSnapshot): QueuedGang[] {
  const own = snapshot.gangs.filter(isPlaceable).map((gang) => queued(gang, null));
  const rivals = snapshot.rivals
    .filter(({ gang }) => isPlaceable(gang))
    .map(({ gang, fleets }) => queued(gang, new Set(fleets)));
  return [...own, ...rivals].sort(
    (a, b) => compareRuns(a.gang.run, b.gang.run) || replicaOf(a.gang) - replicaOf(b.gang),
  );
}

function queued(gang: Gang, shared: ReadonlySet<Id> | null): QueuedGang {
  return { gang, shared, request: gangRequest(gang) };
}

const compareRuns = (a: RunRecord, b: RunRecord): number => (a.id === b.id ? 0 : byUrgency(a, b));

const replicaOf = (gang: Gang): number => gang.jobs[0]?.replicaNum ?? 0;

/** Gangs with equal keys either all have a place at a given moment of the pass, or none has. */
export function demandKey(ledger: CapacityLedger, request: GangRequest): string {
  return `${ledger.fleetOfRun(request.run) ?? ''} ${request.kind}`;
}

/** Whether all jobs of the gang wait: a gang that is being stopped is not placed. */
function isPlaceable({ run, jobs }: Gang): boolean {
  const isWanted = !run.deleted && isRunActive(run.status);
  return isWanted && jobs.length > 0 && jobs.every(isUnplaced);
}

function isUnplaced(job: JobRecord): boolean {
  return isJobSubmitted(job.status) && job.instanceId === null && job.stopRequestedAt === null;
}
