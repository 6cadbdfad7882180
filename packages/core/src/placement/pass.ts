import { sameJson } from '../compare/same.ts';
import { Draft } from '../draft/draft.ts';
import type {
  Change,
  Decision,
  DecisionContext,
  PlacementSnapshot,
  Timestamp,
} from '../model/index.ts';
import { isJobWaiting } from '../status/index.ts';
import { askAgain } from './ask-again.ts';
import type { BackendOffers } from './backend-answers.ts';
import { CapacityLedger } from './place/capacity-ledger.ts';
import { candidateFleets, chooseFleet } from './place/choose-fleet.ts';
import type { FleetOption } from './place/fleet-option.ts';
import { unusableVolume } from './place/mounts.ts';
import type { Ask } from './place/new-capacity.ts';
import { undecidedUntil } from './place/refusals.ts';
import { PlacedGangs } from './placed-gangs.ts';
import type { Lack } from './quota/quota-ledger.ts';
import { holdQuotas, lackOf } from './quota/refusal.ts';
import { amountsOfSlot } from './quota/slots.ts';
import { oneByOne, type QueuedGang, queueOf } from './rank/queue.ts';
import { DEFAULT_PREEMPTION } from './reclaim/fleet-settings.ts';
import { Reclaim } from './reclaim/reclaim.ts';
import { type RefusedDemand, RefusedDemands } from './refused-demands.ts';
import { Holds } from './reserve/holds.ts';

/**
 * One pass over the queue of a pool, most urgent first: each gang gets slots for all of its jobs
 * or none. A gang without a place is marked once with its refusal; the pass of its run decides
 * whether it may wait. Of gangs with equal demand only the first is examined: if it finds no place,
 * the others find none either.
 */
export function place(
  snapshot: PlacementSnapshot,
  offers: BackendOffers,
  ctx: DecisionContext,
): Decision {
  const pass = new PlacementPass(snapshot, (question) => offers.get(question.key) ?? [], ctx);
  for (const queued of pass.oneByOne()) pass.take(queued);
  pass.askToLeave();
  return pass.decision();
}

export class PlacementPass {
  /** The gangs to take, in the order in which they were before any of them got a place. */
  readonly queue: readonly QueuedGang[];
  /** The capacity that the gangs taken so far have left. */
  readonly ledger: CapacityLedger;
  readonly #snapshot: PlacementSnapshot;
  readonly #ctx: DecisionContext;
  readonly #ask: Ask;
  readonly #holds: Holds;
  readonly #draft: Draft;
  readonly #reclaim: Reclaim;
  readonly #refused: RefusedDemands;
  readonly #placed: PlacedGangs;
  readonly #requests: Change[] = [];
  readonly #counts = { gangs: 0, refused: 0 };
  /** Demand classes in which a gang found no place. */
  readonly #closed = new Set<string>();
  /** When the newest gang began to wait whose backends have to be asked again. */
  #waitingSince: Timestamp | null = null;

  constructor(snapshot: PlacementSnapshot, ask: Ask, ctx: DecisionContext) {
    const ledger = new CapacityLedger(snapshot, ctx.settings, ctx);
    const preemption = ctx.settings.preemption ?? DEFAULT_PREEMPTION;
    this.#snapshot = snapshot;
    this.#ctx = ctx;
    this.ledger = ledger;
    this.#ask = ask;
    this.#reclaim = new Reclaim(ledger, ask, preemption, ctx.now);
    this.queue = queueOf(snapshot, (request) => candidateFleets(ledger, request), ledger.shares);
    const jobs = snapshot.gangs.flatMap((gang) => gang.jobs);
    const volumeRecords = snapshot.volumes?.map(({ volume }) => volume);
    // Instances are added as they are claimed: a pool may have thousands.
    this.#draft = new Draft({ jobs, volumeRecords }, ctx);
    this.#holds = new Holds(ledger, ask, this.queue, ({ gang }, reserved) => {
      const job = this.#draft.jobs.get(gang.jobs[0]?.id ?? '');
      if (job && !sameJson(job.reserved, reserved)) this.#draft.jobs.set(job, { reserved });
    });
    this.#refused = new RefusedDemands(ledger, ask, (queued) => this.#holds.isHolder(queued));
    this.#placed = new PlacedGangs({
      ...{ snapshot, ledger, draft: this.#draft, ctx },
      onSlot: ({ gang: { run } }, { id: fleetId }, slot) =>
        this.#reclaim.placed({
          ...{ projectId: run.projectId, fleetId },
          amounts: amountsOfSlot(slot),
        }),
    });
  }

  /** The gangs to take, most urgent first: the next one is chosen once the one before has been taken. */
  oneByOne(): Iterable<QueuedGang> {
    return oneByOne(this.queue, this.ledger.shares);
  }

  /** The option of the next gang of the queue, without placing it. */
  look(queued: QueuedGang): Look {
    const isRefused = this.#refused.of(queued) !== null;
    this.#lookFor(queued);
    const option = isRefused ? null : chooseFleet(this.ledger, queued.request, this.#ask);
    return { ledger: this.ledger, option };
  }

  /** Whether the gang got a place. */
  take(queued: QueuedGang): boolean {
    this.#counts.gangs += 1;
    const isPlaced = this.#take(queued);
    this.#holds.passOn();
    return isPlaced;
  }

  #take(queued: QueuedGang): boolean {
    const known = this.#refused.of(queued);
    if (known !== null) {
      this.#refuse(queued, known);
      return false;
    }
    this.#lookFor(queued);
    const option = chooseFleet(this.ledger, queued.request, this.#ask);
    if (option) {
      this.#holds.release(queued);
      this.#placed.put(queued, option);
      return true;
    }
    const lack = lackOf(this.ledger, queued.request, this.#ask);
    if (lack === null && this.#isUnanswered(queued)) this.#holds.keepFor(queued);
    else this.#refuse(queued, this.#refused.add(queued, lack));
    return false;
  }

  /** Capacity that is kept for entitled gangs is open only to a gang within its guarantee. */
  #lookFor(queued: QueuedGang): void {
    this.ledger.lending.lookFor({ isEntitled: this.#reclaim.isWithin(queued) });
  }

  /** Its fleets may be able to grow: that depends on the answers of its project's backends. */
  #isUnanswered({ gang }: QueuedGang): boolean {
    return this.#snapshot.projects.get(gang.run.projectId)?.isUnanswered === true;
  }

  #refuse(queued: QueuedGang, { reason, lack }: RefusedDemand): void {
    const { jobs, run } = queued.gang;
    const [first] = jobs;
    if (!first) return;
    // A quota that keeps one user from a place may leave enough for equal gangs of other users.
    const isOfUser = lack !== null && lack.account.state.quota.userId !== null;
    if (first.demand !== null && !isOfUser) this.#closed.add(first.demand);
    if (
      first.refusal === null ||
      this.#hasLostVolume(queued) ||
      (undecidedUntil(first.refusal) !== null && undecidedUntil(reason()) === null)
    ) {
      const refusal = reason();
      for (const job of jobs) this.#draft.jobs.set(job, { refusal });
      this.#draft.signal('run', run.id);
      this.#counts.refused += 1;
    }
    // Whether a job may wait is decided after its first refusal: then it has waited since now.
    if (this.#snapshot.projects.get(run.projectId)?.hasPolledBackends) {
      const since = first.waitingSince ?? this.#ctx.now;
      this.#waitingSince = Math.max(this.#waitingSince ?? 0, since);
    }
    if (isJobWaiting(first)) this.#hold(queued, lack);
    this.#reclaim.refused(queued, lack !== null);
  }

  /** A volume of a gang that waits for capacity was deleted meanwhile. */
  #hasLostVolume({ gang, request }: QueuedGang): boolean {
    if (request.nodes.every(({ volumes }) => volumes.length === 0)) return false;
    const known = gang.jobs[0]?.refusal?.kind === 'volume';
    return !known && unusableVolume(this.ledger, request) !== null;
  }

  /** A gang that a quota keeps from its place holds what the quota leaves, and no capacity. */
  #hold(queued: QueuedGang, lack: Lack | null): void {
    const { request, gang } = queued;
    const asked = gang.jobs[0]?.reclaim?.instances ?? [];
    if (asked.length > 0) {
      this.#holds.giveUp(queued);
      this.#holds.holdAll(asked, queued);
    } else if (lack === null) this.#holds.keepFor(queued);
    else {
      this.#holds.giveUp(queued);
      this.ledger.quotas.hold(lack);
    }
    holdQuotas(this.ledger, request, candidateFleets(this.ledger, request));
  }

  /** Gangs that are entitled to a place ask others to leave theirs, once all have been placed that can be. */
  askToLeave(): void {
    const { changes, runs } = this.#reclaim.requests();
    this.#requests.push(...changes);
    // A project that is guaranteed more since then must not be asked any more.
    if (changes.length > 0 && this.#snapshot.pool !== null) {
      this.#draft.checkPool(this.#snapshot.pool);
    }
    for (const id of runs) this.#draft.signal('run', id);
  }

  decision(): Decision {
    const { more, pool } = this.#snapshot;
    const placed = this.#placed.count;
    if (pool !== null && placed > 0) {
      this.#draft.checkPool(pool);
      // Only the first gangs of a class were loaded: if all of them were placed, load the next ones.
      const goesOn = [...more].some((demand) => !this.#closed.has(demand));
      if (goesOn) this.#draft.signal('pool', pool.id);
    }
    // A gang that does not start when it was expected to starts later: until then, others may use what it has reserved.
    const dues = [this.ledger.reserved.nextStart, this.#reclaim.again];
    const again = askAgain({ waitingSince: this.#waitingSince, dues }, this.#ctx.now);
    return {
      changes: [...this.#placed.changes(), ...this.#requests, ...this.#draft.changes()],
      signals: this.#draft.signals(),
      summary: { ...this.#counts, placed, again },
      again,
    };
  }
}

export interface Look {
  /** The capacity that gangs ahead have left. */
  readonly ledger: CapacityLedger;
  readonly option: FleetOption | null;
}
