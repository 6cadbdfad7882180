import type { Refusal } from '@dstack/contract/wire';
import { Draft } from '../draft/draft.ts';
import type {
  Change,
  Decision,
  DecisionContext,
  Id,
  PlacementSnapshot,
  Timestamp,
} from '../model/index.ts';
import { SECOND } from '../model/records.ts';
import { isJobWaiting } from '../status/job-status.ts';
import { assignExisting, assignNew } from './assign.ts';
import { chooseFleet } from './choose-fleet.ts';
import type { FleetOption } from './fleet-option.ts';
import { Holds } from './holds.ts';
import { CapacityLedger, type Claimant } from './ledger.ts';
import { type Ask, triedOffers } from './new-slots.ts';
import type { BackendOffers } from './offers-wanted.ts';
import { demandKey, type QueuedGang, queueOf } from './queue.ts';
import { refusalOf } from './refusals.ts';

/**
 * One pass over what waits in a project, most urgent first: each gang gets slots for all of its jobs
 * or none. What has no place is marked with the reason, once; whether it may wait for one is decided
 * by its run's pass. Gangs that ask for the same are looked at once: what one does not find in a
 * pass, the others behind it do not find either.
 */
export function place(
  snapshot: PlacementSnapshot,
  offers: BackendOffers,
  ctx: DecisionContext,
): Decision {
  const pass = new PlacementPass(snapshot, (question) => offers.get(question.key) ?? [], ctx);
  for (const queued of queueOf(snapshot)) pass.take(queued);
  return pass.decision();
}

export class PlacementPass {
  readonly #snapshot: PlacementSnapshot;
  readonly #ctx: DecisionContext;
  readonly #ledger: CapacityLedger;
  readonly #ask: Ask;
  readonly #holds: Holds;
  readonly #draft: Draft;
  /** Why there is no place, by demand; what is made once for many gangs. */
  readonly #refused = new Map<string, () => Refusal>();
  readonly #runs: Change[] = [];
  readonly #counts = { gangs: 0, placed: 0, refused: 0 };
  /** Demand classes of which a gang that is there found no place. */
  readonly #closed = new Set<string>();
  /** When the last of what waits began to. */
  #waitingSince: Timestamp | null = null;

  constructor(snapshot: PlacementSnapshot, ask: Ask, ctx: DecisionContext) {
    this.#snapshot = snapshot;
    this.#ctx = ctx;
    this.#ledger = new CapacityLedger(snapshot, ctx.settings);
    this.#ask = ask;
    this.#holds = new Holds(this.#ledger, this.#ask);
    const jobs = snapshot.gangs.flatMap((gang) => gang.jobs);
    this.#draft = new Draft({ jobs, instances: snapshot.instances }, ctx);
  }

  /** What the next gang of the queue would find, without giving it anything. */
  look({ request }: QueuedGang): Look {
    const key = demandKey(this.#ledger, request);
    const option = this.#refused.has(key) ? null : chooseFleet(this.#ledger, request, this.#ask);
    return { ledger: this.#ledger, option };
  }

  take(queued: QueuedGang): void {
    if (queued.shared) {
      this.#leaveTo(queued, queued.shared);
      return;
    }
    this.#counts.gangs += 1;
    const key = demandKey(this.#ledger, queued.request);
    if (!this.#refused.has(key)) {
      const option = chooseFleet(this.#ledger, queued.request, this.#ask);
      if (option) {
        this.#settle(queued, option);
        return;
      }
      this.#refused.set(key, this.#reason(queued));
    }
    this.#refuse(queued, this.#refused.get(key));
  }

  /**
   * A gang of another project that is ahead in the queue: its own pass places it, this one leaves it
   * what both could use. What that project alone may add is nothing to this one.
   */
  #leaveTo(queued: QueuedGang, shared: ReadonlySet<Id>): void {
    const { gang, request } = queued;
    const option = chooseFleet(this.#ledger, request, NO_OFFERS, shared);
    if (option) claimSlots(this.#ledger, gang.run, option);
    else this.#holds.keepFor(queued);
  }

  #settle({ gang }: QueuedGang, option: FleetOption): void {
    const { run, jobs } = gang;
    if (this.#ledger.fleetOfRun(run) === null) {
      const set = { fleetId: option.fleet.id };
      this.#runs.push({ type: 'run.update', id: run.id, version: run.version, set });
    }
    claimSlots(this.#ledger, run, option, (slot, index, instanceNum) => {
      const job = jobs[index];
      if (!job) return;
      if (slot.kind === 'existing') assignExisting(this.#draft, job, slot, this.#ctx);
      else {
        const where = { fleet: option.fleet, instanceNum };
        assignNew(this.#draft, job, slot, where, this.#ctx);
      }
    });
    this.#counts.placed += 1;
    this.#draft.signal('run', run.id);
  }

  #reason({ request }: QueuedGang): () => Refusal {
    let refusal: Refusal | null = null;
    return () => {
      refusal ??= refusalOf(this.#ledger, request, this.#ask);
      return refusal;
    };
  }

  #refuse(queued: QueuedGang, reason: (() => Refusal) | undefined): void {
    const { jobs, run } = queued.gang;
    const [first] = jobs;
    if (!first || !reason) return;
    if (first.demand !== null) this.#closed.add(first.demand);
    if (first.refusal === null) {
      const refusal = reason();
      for (const job of jobs) this.#draft.jobs.set(job, { refusal });
      this.#draft.signal('run', run.id);
      this.#counts.refused += 1;
    }
    if (!isJobWaiting(first)) return;
    this.#waitingSince = Math.max(this.#waitingSince ?? 0, first.waitingSince ?? 0);
    this.#holds.keepFor(queued);
  }

  decision(): Decision {
    const { more, projectId } = this.#snapshot;
    // Only the first of a class were loaded: as long as they find a place, the next may too.
    const goesOn = [...more].some((demand) => !this.#closed.has(demand));
    if (goesOn && this.#counts.placed > 0) this.#draft.signal('placement', projectId);
    return {
      changes: [...this.#runs, ...this.#draft.changes()],
      signals: this.#draft.signals(),
      summary: { ...this.#counts, again: this.#again() },
      again: this.#again(),
    };
  }

  /** Backends that send no signals are asked again, the less often the longer nothing came of it. */
  #again(): Timestamp | null {
    if (this.#waitingSince === null || !this.#snapshot.hasSilentBackends) return null;
    const { now } = this.#ctx;
    const waited = (now - this.#waitingSince) / 2;
    return now + Math.min(Math.max(waited, ASK_AGAIN.least), ASK_AGAIN.most);
  }
}

export interface Look {
  /** What those ahead have left. */
  readonly ledger: CapacityLedger;
  readonly option: FleetOption | null;
}

const NO_OFFERS: Ask = () => [];

/** Least and most time between two questions. */
const ASK_AGAIN = { least: 15 * SECOND, most: 300 * SECOND } as const;

type Slot = FleetOption['slots'][number];

/** Marks an option's slots as given away; `each` gets the number of a new instance with its slot. */
export function claimSlots(
  ledger: CapacityLedger,
  run: Claimant,
  option: FleetOption,
  each: (slot: Slot, index: number, instanceNum: number) => void = () => {},
): void {
  ledger.setFleetOfRun(run.id, option.fleet.id);
  for (const [index, slot] of option.slots.entries()) {
    if (slot.kind === 'existing') {
      ledger.claim(slot.instance, slot.blocks, run);
      each(slot, index, slot.instance.instanceNum);
    } else {
      const [offer] = triedOffers(slot.offers);
      each(slot, index, ledger.addInstance(option.fleet.id, offer, run));
    }
  }
}
