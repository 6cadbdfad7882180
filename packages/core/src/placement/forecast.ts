/** When the gangs of a queue are expected to start. */
import type {
  DecisionContext,
  FleetRecord,
  Gang,
  Id,
  Occupant,
  PlacementSnapshot,
  ReservedShare,
  Timestamp,
} from '../model/index.ts';
import { SECOND } from '../model/values.ts';
import type { ShareLedger } from '../shares/share-ledger.ts';
import { LeavingJobs } from './leaving.ts';
import { PlacementPass } from './pass.ts';
import type { CapacityLedger } from './place/capacity-ledger.ts';
import { candidateFleets } from './place/choose-fleet.ts';
import type { Ask } from './place/new-capacity.ts';
import { inTurn, type QueuedGang } from './rank/queue.ts';
import { earliestStart, mayServe, type PlannedStart } from './reserve/earliest-start.ts';

export interface Forecast {
  readonly gang: Gang;
  /** Null: nothing is known. */
  readonly startsAt: Timestamp | null;
  /** An estimate: it relies on the forecasts of gangs ahead, or on the guessed end of a job. */
  readonly isAbout: boolean;
  /** Where; empty where that is not known, or where it would start at once. */
  readonly shares: readonly ReservedShare[];
}

/** Gangs behind these have no forecast: each one relies on all before it. */
const FORECAST = 50;

/**
 * The queue in its order. Reserved starts are exact. Gangs for which others have to leave start about when the grace of these
 * ends. The gangs behind them are put one after the other
 * on what becomes free first; most start no later, as short ones use gaps. `guesses`: jobs without a
 * `max_duration` that are expected to last as long as earlier runs of their name.
 */
export function forecastQueue(
  snapshot: PlacementSnapshot,
  ask: Ask,
  ctx: DecisionContext,
  guesses: readonly Occupant[] = [],
): Forecast[] {
  const pass = new PlacementPass(snapshot, ask, ctx);
  const { ledger } = pass;
  const taken: QueuedGang[] = [];
  const waiting = new Set<QueuedGang>();
  for (const queued of pass.oneByOne()) {
    taken.push(queued);
    if (!pass.take(queued)) waiting.add(queued);
  }
  const queue = ledger.shares === null ? taken : turnsOf(taken, waiting, ledger.shares);
  const starts = new Starts(
    ledger,
    queue.filter((queued) => waiting.has(queued)),
    guesses,
  );
  let count = 0;
  return queue.map((queued): Forecast => {
    const { gang } = queued;
    if (!waiting.has(queued)) return { gang, startsAt: ctx.now, isAbout: false, shares: [] };
    count += 1;
    if (count > FORECAST) return { gang, startsAt: null, isAbout: true, shares: [] };
    return { gang, ...starts.next(queued) };
  });
}

type Start = Omit<Forecast, 'gang'>;

const UNKNOWN: Start = { startsAt: null, isAbout: true, shares: [] };

/** Those that wait get their places one after the other, which changes the ratios. */
function turnsOf(
  taken: readonly QueuedGang[],
  waiting: ReadonlySet<QueuedGang>,
  shares: ShareLedger,
): QueuedGang[] {
  const placed = taken.filter((queued) => !waiting.has(queued));
  return [...placed, ...inTurn([...waiting], shares)];
}

type Settled = Start & { readonly startsAt: Timestamp };

function reservedStart(
  { reserved, ends }: CapacityLedger,
  { request }: QueuedGang,
): Settled | null {
  const own = request.key === null ? null : reserved.of(request.key);
  if (!own) return null;
  return { startsAt: Math.max(own.startsAt, ends.now), isAbout: false, shares: own.shares };
}

function sooner(reserved: Settled | null, asked: Settled | null): Settled | null {
  if (reserved === null || asked === null) return reserved ?? asked;
  return asked.startsAt < reserved.startsAt ? asked : reserved;
}

class Starts {
  readonly #ledger: CapacityLedger;
  /** Reserved starts, and those of gangs for which others leave. */
  readonly #settled = new Map<QueuedGang, Settled>();
  /** Fleets with a gang that may start there at any time. */
  readonly #unknown = new Set<Id>();

  constructor(
    ledger: CapacityLedger,
    waiting: readonly QueuedGang[],
    guesses: readonly Occupant[],
  ) {
    this.#ledger = ledger;
    const { claims = [], occupants = [] } = ledger.snapshot;
    const { now } = ledger.ends;
    const leaving = new LeavingJobs(claims);
    leaving.addTo(ledger.ends, occupants);
    const settled = waiting.flatMap((queued) => {
      const start = sooner(reservedStart(ledger, queued), leaving.startFor(queued.gang, now));
      return start ? [{ queued, start }] : [];
    });
    ledger.dropHolds();
    for (const { queued, start } of settled) {
      this.#settled.set(queued, start);
      this.#occupy(queued, start);
    }
    for (const guess of guesses) {
      const { instanceId, blocks, startedAt, limit } = guess;
      if (leaving.has(guess)) continue;
      const at = startedAt + limit.seconds * SECOND;
      // One that has lasted longer than the earlier ones ends at a time of which nothing is known.
      if (at > now) ledger.ends.add(instanceId, { at, blocks });
    }
  }

  /** In the order of the queue. */
  next(queued: QueuedGang): Start {
    const settled = this.#settled.get(queued);
    if (settled !== undefined) return settled;
    const fleets = candidateFleets(this.#ledger, queued.request).filter(
      (fleet) => !this.#unknown.has(fleet.id) && mayServe(this.#ledger, fleet, queued.request),
    );
    const start = this.#earliest(fleets, queued);
    // It found no place, so it is kept back otherwise, as by a quota. Those behind it may have what it cannot use.
    if (start && start.startsAt <= this.#ledger.ends.now) return UNKNOWN;
    if (start) this.#occupy(queued, start);
    else for (const fleet of fleets) this.#unknown.add(fleet.id);
    return { startsAt: start?.startsAt ?? null, isAbout: true, shares: start?.shares ?? [] };
  }

  #earliest(fleets: readonly FleetRecord[], { request }: QueuedGang): PlannedStart | null {
    return fleets
      .map((fleet) => earliestStart(this.#ledger, fleet, request))
      .reduce((best, one) => (one && (!best || one.startsAt < best.startsAt) ? one : best), null);
  }

  #occupy(
    { request: { limit } }: QueuedGang,
    { startsAt, shares }: Pick<Settled, 'startsAt' | 'shares'>,
  ): void {
    const { ends } = this.#ledger;
    for (const { instanceId, blocks } of shares) {
      ends.add(instanceId, { at: startsAt, blocks: -blocks });
      if (limit !== null) ends.add(instanceId, { at: startsAt + limit * SECOND, blocks });
    }
  }
}
