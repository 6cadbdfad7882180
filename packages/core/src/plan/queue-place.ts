/** The place in the queue, and the expected start, of a run that would wait. */
import type {
  ClaimState,
  DecisionContext,
  Gang,
  Occupant,
  PlacementSnapshot,
  RunRecord,
  Timestamp,
} from '../model/index.ts';
import { type Forecast, forecastQueue } from '../placement/forecast.ts';
import { leavesBy } from '../placement/leaving.ts';
import { PlacementPass } from '../placement/pass.ts';
import { newSubmissions } from '../reconcile/run/new-submission.ts';
import type { PlanInput } from './input.ts';

export interface PlannedPlace extends Omit<Forecast, 'gang'> {
  /** From 1. */
  readonly place: number;
  /** The jobs that would have to leave for it. */
  readonly leavers: readonly ClaimState[];
  /** Others have to leave for it, at once or later: so it waits, whatever its `retry` is. */
  readonly asks: boolean;
}

/**
 * `total`: all gangs that wait in the pool; `queue` has the first of them, and those with reservations. `guesses`: see
 * `forecastQueue`.
 */
export function placeInQueue(
  input: PlanInput,
  queue: PlacementSnapshot,
  { total, guesses }: { readonly total: number; readonly guesses: readonly Occupant[] },
  ctx: DecisionContext,
): PlannedPlace | null {
  const planned = plannedGang(input, ctx);
  const snapshot = { ...queue, gangs: [...queue.gangs, planned] };
  // It waits because its fleets do not grow now.
  const forecasts = forecastQueue(snapshot, () => [], ctx, guesses);
  const index = forecasts.findIndex(({ gang }) => gang.run.id === PLANNED);
  const found = forecasts[index];
  if (!found) return null;
  // Between the first gangs and those that were read for what they have reserved, there are others.
  const isKnown =
    queue.gangs.length >= total ||
    forecasts.slice(index + 1).some(({ gang }) => (gang.jobs[0]?.reserved ?? null) === null);
  const place = isKnown ? index + 1 : Math.max(index, total) + 1;
  const { startsAt, isAbout, shares } = found;
  const { start, ...requests } = requestsFor(snapshot, planned, ctx);
  const isSooner = start !== null && (startsAt === null || start.startsAt < startsAt);
  return { place, startsAt, isAbout, shares, ...(isSooner && start), ...requests };
}

/** The requests that the next pass would make for the gang; none if no job of the pool may have to leave for others. */
function requestsFor(snapshot: PlacementSnapshot, { jobs }: Gang, ctx: DecisionContext): Requests {
  const { claims = [] } = snapshot;
  if (claims.length === 0) return { leavers: [], asks: false, start: null };
  const pass = new PlacementPass(snapshot, () => [], ctx);
  for (const queued of pass.oneByOne()) pass.take(queued);
  pass.askToLeave();
  const updates = pass.decision().changes.filter((change) => change.type === 'job.update');
  const asked = new Map(
    updates.flatMap(({ id, set: { eviction } }) =>
      eviction?.runId === PLANNED ? [[id, leavesBy(eviction)] as const] : [],
    ),
  );
  const own = updates.find(({ id, set }) => id === jobs[0]?.id && set.reclaim != null);
  const startsAt = Math.max(...asked.values());
  const shares = own?.set.reclaim?.shares ?? [];
  return {
    leavers: claims.filter(({ jobId }) => asked.has(jobId)),
    asks: own !== undefined,
    start: asked.size === 0 ? null : { startsAt, isAbout: true, shares },
  };
}

interface Requests extends Pick<PlannedPlace, 'leavers' | 'asks'> {
  /** When those who would have to leave have left; null: no job would have to. */
  readonly start: (Omit<Forecast, 'gang'> & { readonly startsAt: Timestamp }) | null;
}

const PLANNED = 'planned';

/** All nodes of a task, or one replica of a service. */
function plannedGang(
  { projectId, userId = '', spec, jobSpecs, runFleetId }: PlanInput,
  ctx: DecisionContext,
): Gang {
  const run: RunRecord = {
    ...{ id: PLANNED, projectId, userId, name: spec.run_name ?? PLANNED, spec },
    ...{ status: 'submitted', terminationReason: null, fleetId: runFleetId ?? null },
    ...{ priority: spec.configuration.priority ?? 0, deploymentNum: 0, resubmissionAttempt: 0 },
    ...{ desiredReplicas: {}, rollout: null, autoscaling: null, gatewayId: null },
    ...{
      serviceSpec: null,
      submittedAt: ctx.now,
      lastProcessedAt: ctx.now,
      dependencyState: null,
      lastOutcome: null,
      hold: null,
      ...{ arrayId: null, arrayIndex: null, arraySince: null, arraySeen: null },
    },
    ...{ nextTriggeredAt: null, eligibleAt: null, nextPassAt: null, deleted: false, version: 0 },
  };
  const group = jobSpecs[0]?.replica_group;
  const own = jobSpecs.filter((one) => one.replica_group === group);
  const jobs = newSubmissions(run, own, { newId: ctx.newId, now: ctx.now, replicaNum: 0 });
  return { run, jobs: jobs.map((job) => ({ ...job, waitingSince: ctx.now })) };
}
