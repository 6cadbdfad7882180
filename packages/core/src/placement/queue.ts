/** The order in which a pass looks at what waits. */
import type { Gang, Id, JobRecord, PlacementSnapshot, RunRecord } from '../model/index.ts';
import { isJobSubmitted } from '../status/job-status.ts';
import { isRunActive } from '../status/run-status.ts';
import { type GangRequest, gangRequest } from './gang-request.ts';
import type { CapacityLedger } from './ledger.ts';

/** A gang with its place in the queue. */
export interface QueuedGang {
  readonly gang: Gang;
  readonly request: GangRequest;
  /** Set for a run of another project: the fleets that both may use. It is placed by its own pass. */
  readonly shared: ReadonlySet<Id> | null;
}

/** Highest priority first, then oldest; the id settles what is equal, so that all passes agree. */
export function byUrgency(
  a: Pick<RunRecord, 'priority' | 'submittedAt' | 'id'>,
  b: Pick<RunRecord, 'priority' | 'submittedAt' | 'id'>,
): number {
  return b.priority - a.priority || a.submittedAt - b.submittedAt || (a.id < b.id ? -1 : 1);
}

/** Everything that the pass has to place, and what of other projects is ahead of it for the same. */
export function queueOf(snapshot: PlacementSnapshot): QueuedGang[] {
  const own = placeable(snapshot.gangs).map((gang) => queued(gang, null));
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

/** Equal for gangs of which either all or none have a place at one moment of the pass. */
export function demandKey(ledger: CapacityLedger, request: GangRequest): string {
  return `${ledger.fleetOfRun(request.run) ?? ''} ${request.kind}`;
}

/** Gangs all of whose jobs still wait: one that is being stopped is left alone as a whole. */
export function placeable(gangs: readonly Gang[]): Gang[] {
  return gangs.filter(isPlaceable);
}

function isPlaceable({ run, jobs }: Gang): boolean {
  const isWanted = !run.deleted && isRunActive(run.status);
  return isWanted && jobs.length > 0 && jobs.every(isUnplaced);
}

function isUnplaced(job: JobRecord): boolean {
  return isJobSubmitted(job.status) && job.instanceId === null && job.stopRequestedAt === null;
}
