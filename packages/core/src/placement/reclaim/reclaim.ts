/**
 * Stage 5: gangs that are refused although their project is guaranteed what they need, or although jobs of lower
 * priority run in their project, ask others to leave. The request is stored with those who have to leave and with the
 * one who asks; the passes of their runs obey it.
 */
import type {
  Change,
  EvictionRecord,
  Gang,
  Id,
  PlannedShare,
  PreemptionSettings,
  Timestamp,
} from '../../model/index.ts';
import { SECOND } from '../../model/values.ts';
import {
  type Claim,
  claimsOn,
  gangKeyOf,
  type PlacedGang,
  placedGangs,
} from '../../quotas/claims.ts';
import { Guarantees, type Use } from '../../quotas/guarantees.ts';
import { type GangRequest, gangKey } from '../gang-request.ts';
import { type CapacityLedger, demandKey } from '../place/capacity-ledger.ts';
import { candidateFleets, type FleetOption } from '../place/choose-fleet.ts';
import type { Ask } from '../place/new-capacity.ts';
import { leastAmounts } from '../quota/least.ts';
import { amountsOfOption } from '../quota/slots.ts';
import type { QueuedGang } from '../rank/queue.ts';
import { Lenders } from './lenders.ts';
import { byInstance, gangsOn } from './places.ts';
import { Plans, sharesOf } from './plans.ts';
import { evictionFor, evictionsOf, reclaimOf, reclaimRecord } from './requests.ts';
import { placeWithout } from './trial.ts';
import { type UsablePart, usableBy } from './usable.ts';
import { chooseVictims, type Next, nextBorrowed, nextOfLowerPriority } from './victims.ts';

export const DEFAULT_PREEMPTION: PreemptionSettings = {
  mode: 'reclaim',
  minRuntime: 300,
  grace: 60,
};

/** Gangs that ask in one pass; the others ask in the next one. */
const MOST_ASKERS = 8;

/** Looks for places in one pass: each arranges all instances anew. */
const MOST_LOOKS = 64;

/** Instances that are tried for one gang. */
const MOST_SETS = 8;

/** Those who have to leave; `use`: what the gang will use of its guarantee. */
interface Leaving {
  readonly gangs: readonly PlacedGang[];
  readonly kind: EvictionRecord['kind'];
  readonly use: Use | null;
  readonly shares: readonly PlannedShare[];
}

/** Whether a gang may leave: at once, from a time on, or not. */
type Departure = 'now' | 'never' | { readonly from: Timestamp };

/** Who waits, and the instances that it could use. */
interface Waiting {
  readonly queued: QueuedGang;
  readonly isWithin: boolean;
  readonly usable: ReadonlySet<Id>;
}

export class Reclaim {
  readonly #ledger: CapacityLedger;
  readonly #ask: Ask;
  readonly #settings: PreemptionSettings;
  readonly #now: Timestamp;
  readonly #gangs: readonly PlacedGang[];
  readonly #lenders: Lenders;
  /** All of their claims end anyway. */
  readonly #ending: readonly PlacedGang[];
  /** By resources. */
  readonly #borrowed = new Map<string, readonly PlacedGang[]>();
  /** By gang that has asked, those who have to leave for it and are still there. */
  readonly #served: ReadonlyMap<string, readonly Claim[]>;
  /** By run, the replicas of a service that serve and have not been asked to leave. */
  readonly #ready: ReadonlyMap<Id, readonly PlacedGang[]>;
  /** Used by claims and by entitled gangs that wait; by claims and by those that have asked already. */
  readonly #expected: Guarantees;
  readonly #firm: Guarantees;
  readonly #waiting: Waiting[] = [];
  /** They have asked, and are not entitled to anything any more. */
  readonly #lapsed: Gang[] = [];
  #looks = 0;
  /** When a protected gang may have to leave: look again then. */
  #again: Timestamp | null = null;

  constructor(ledger: CapacityLedger, ask: Ask, settings: PreemptionSettings, now: Timestamp) {
    this.#ledger = ledger;
    this.#ask = ask;
    this.#settings = settings;
    this.#now = now;
    const { claims = [], instances, quotas = [] } = ledger.snapshot;
    const known = claimsOn(claims, instances);
    this.#gangs = placedGangs(known);
    this.#expected = new Guarantees(quotas, known);
    this.#firm = new Guarantees(quotas, known);
    this.#lenders = new Lenders({
      gangs: this.#gangs,
      guaranteesOf: (id) => this.#firm.ofProject(id),
      weightOf: (id) => this.#firm.weightOf(id),
    });
    this.#ending = this.#gangs.filter(({ claims: own }) => own.every(({ isEnding }) => isEnding));
    this.#served = Map.groupBy(
      known.filter(({ eviction }) => eviction !== null),
      ({ eviction }) => (eviction === null ? '' : gangKeyOf(eviction)),
    );
    this.#ready = Map.groupBy(
      this.#gangs.filter((one) => isServing(one) && !isAsked(one)),
      ({ runId }) => runId,
    );
  }

  get again(): Timestamp | null {
    return this.#again;
  }

  /** A gang got a place in this pass. */
  placed(use: Use): void {
    this.#expected.claim(use);
    this.#firm.claim(use);
  }

  /** Whether the gang stays within the guarantee of its project, on some fleet that it may use. */
  isWithin({ request }: QueuedGang): boolean {
    return this.#useWithin(request) !== null;
  }

  #useWithin(request: GangRequest): Use | null {
    if (this.#expected.isEmpty) return null;
    const { projectId } = request.run;
    const amounts = leastAmounts(request);
    const uses = candidateFleets(this.#ledger, request).map(({ id: fleetId }) => ({
      ...{ projectId, fleetId, amounts },
    }));
    return uses.find((use) => this.#expected.isWithin(use)) ?? null;
  }

  /** The gang found no place. What an entitled gang could use no other project borrows anew. */
  refused(queued: QueuedGang, isKeptByQuota: boolean): void {
    const { mode } = this.#settings;
    if (mode === 'off') return;
    const use = isKeptByQuota ? null : this.#useWithin(queued.request);
    const isWithin = use !== null;
    if (!isWithin && (mode !== 'priority' || this.#gangs.length === 0)) {
      this.#lapse(queued.gang);
      return;
    }
    const isEntitled = (one: Use) => !isWithin || this.#expected.isWithin(one);
    const parts = usableBy(this.#ledger, queued.request, this.#ask, isEntitled);
    const usable = new Set(parts.flatMap(({ instanceIds }: UsablePart) => instanceIds));
    this.#waiting.push({ queued, isWithin, usable });
    if (use === null) return;
    this.#expected.claim(use);
    for (const part of parts) this.#ledger.lending.close(part);
  }

  /** The requests of this pass, and the runs that they concern. */
  requests(): { readonly changes: readonly Change[]; readonly runs: readonly Id[] } {
    const changes: Change[] = [];
    const runs: Id[] = [];
    const taken = new Set(this.#gangs.filter(isAsked).map(({ key }) => key));
    const plans = new Plans();
    for (const { queued } of this.#waiting) {
      const { reclaim = null } = queued.gang.jobs[0] ?? {};
      const key = gangKey(queued.gang);
      if (reclaim) plans.add(key, reclaim, this.#served.get(key) ?? []);
    }
    const inVain = new Set<string>();
    let asked = 0;
    let isCut = false;
    for (const waiting of this.#waiting) {
      const { queued, isWithin } = waiting;
      if (this.#isServed(queued.gang)) {
        const use = isWithin ? this.#leastUse(queued.request) : null;
        if (use) this.#firm.claim(use);
        continue;
      }
      const { request, gang } = queued;
      const kind = `${isWithin} ${request.priority} ${demandKey(this.#ledger, request)}`;
      if (asked >= MOST_ASKERS || this.#looks >= MOST_LOOKS) {
        isCut = true;
        continue;
      }
      const found = inVain.has(kind) ? null : this.#leaversFor(waiting, taken, plans);
      if (found === null) {
        inVain.add(kind);
        if (!isWithin) this.#lapse(gang);
        continue;
      }
      if (found.gangs.length === 0) {
        // Without `retry` it waits for those that are protected or end anyway.
        if (gang.jobs[0]?.reclaim) continue;
        changes.push(...reclaimOf(gang, { since: this.#now, runs: [], instances: [] }));
        runs.push(gang.run.id);
        continue;
      }
      asked += 1;
      for (const one of found.gangs) taken.add(one.key);
      const claims = found.gangs.flatMap((one) => one.claims);
      const reclaim = reclaimRecord(claims, found.shares, this.#now);
      plans.add(gangKey(gang), reclaim, claims);
      const eviction = evictionFor(gang, found.kind, this.#now, this.#settings.grace);
      changes.push(...evictionsOf(claims, eviction), ...reclaimOf(gang, reclaim));
      if (found.use) this.#firm.claim(found.use);
      runs.push(gang.run.id, ...claims.map(({ runId }) => runId));
    }
    // Only after a pass that has changed something, or it would be repeated for ever.
    if (isCut && asked > 0) this.#lookAgain(this.#now + SECOND);
    for (const gang of this.#lapsed) {
      changes.push(...reclaimOf(gang, null));
      // Those who were asked to leave may stay.
      runs.push(gang.run.id, ...(gang.jobs[0]?.reclaim?.runs ?? []));
    }
    return { changes, runs: [...new Set(runs)] };
  }

  #lapse(gang: Gang): void {
    if (gang.jobs[0]?.reclaim && !this.#isServed(gang)) this.#lapsed.push(gang);
  }

  /** Those whom it has asked to leave are still there. */
  #isServed(gang: Gang): boolean {
    return this.#served.has(gangKey(gang));
  }

  #leaversFor(
    { queued, isWithin, usable }: Waiting,
    taken: ReadonlySet<string>,
    plans: Plans,
  ): Leaving | null {
    const { request, gang } = queued;
    const { projectId } = request.run;
    const isOpen = (one: PlacedGang) =>
      !taken.has(one.key) && one.claims.some(({ instanceId }) => usable.has(instanceId));
    // What ends anyway: no other job has to leave if it is enough.
    const ending = this.#ending.filter(isOpen);
    const resources = isWithin ? this.#guaranteedIn(request) : [];
    const foreign = this.#borrowedIn(resources).filter(
      (one) => one.projectId !== projectId && isOpen(one),
    );
    const lower =
      this.#settings.mode === 'priority'
        ? this.#gangs.filter(
            (one) => one.projectId === projectId && one.priority < request.priority && isOpen(one),
          )
        : [];
    if (ending.length + foreign.length + lower.length === 0) return null;
    const others = plans.without(gangKey(gang));
    const option = (leaving: readonly PlacedGang[]) => {
      this.#looks += 1;
      const claims = [...ending, ...leaving].flatMap((one) => one.claims);
      return placeWithout(this.#ledger, request, claims, others);
    };
    if (option([]) !== null) return isWithin || ending.length > 0 ? LATER : null;
    const mayLeave = (one: PlacedGang, chosen: readonly PlacedGang[]) =>
      this.#servesWithout(one, chosen, taken);
    const asked = { lenders: this.#lenders, resources, now: this.#now, mayLeave };
    const within = (leaving: readonly PlacedGang[]): FleetOption | null => {
      const found = option(leaving);
      if (found === null) return null;
      const use = { projectId, fleetId: found.fleet.id, amounts: amountsOfOption(found) };
      return this.#firm.isWithin(use) ? found : null;
    };
    const reclaimed = this.#chosenOf(foreign, (gangs) => nextBorrowed(gangs, asked), within);
    if (reclaimed === LATER) return LATER;
    if (reclaimed) return { ...reclaimed, use: this.#leastUse(request) };
    const nextOf = (gangs: readonly PlacedGang[]) =>
      nextOfLowerPriority(gangs, this.#now, mayLeave);
    const found = this.#chosenOf(lower, nextOf, option);
    return found === null || found === LATER ? found : { ...found, kind: 'priority' };
  }

  /** Gangs that their projects borrow in one of these resources. */
  #borrowedIn(resources: readonly string[]): readonly PlacedGang[] {
    if (resources.length === 0) return [];
    const key = [...resources].sort().join(' ');
    const known = this.#borrowed.get(key);
    if (known) return known;
    const found = this.#gangs.filter((one) => this.#lenders.isBorrowed(one, [], resources));
    this.#borrowed.set(key, found);
    return found;
  }

  /**
   * Of these gangs those that leave now; `LATER`: there is room once some are not protected any more. `placeOf`: where
   * the gang that asks would be placed without them.
   */
  #chosenOf(
    gangs: readonly PlacedGang[],
    nextOf: (gangs: readonly PlacedGang[]) => Next,
    placeOf: (leaving: readonly PlacedGang[]) => FleetOption | null,
  ): Leaving | null {
    const fits = (leaving: readonly PlacedGang[]): boolean => placeOf(leaving) !== null;
    const departures = gangs.map((one) => ({ one, departure: this.#departureOf(one) }));
    const rest = departures.flatMap(({ one, departure }) => (departure === 'now' ? [one] : []));
    const place = rest.length > 0 ? placeOf(rest) : null;
    if (place !== null) {
      for (const some of this.#setsOf(rest, place)) {
        const found = chooseVictims(nextOf(some), fits);
        const place = found && placeOf(found);
        if (found && place) return { ...LATER, gangs: found, shares: sharesOf(place) };
      }
    }
    const later = departures.flatMap(({ one, departure }) =>
      typeof departure === 'object' ? [{ one, from: departure.from }] : [],
    );
    if (later.length === 0 || !fits([...rest, ...later.map(({ one }) => one)])) return null;
    this.#lookAgain(Math.min(...later.map(({ from }) => from)));
    return LATER;
  }

  /**
   * Those of whom some may leave: all; those on one instance, of a few; those on the instances that the gang would get if
   * all left.
   */
  *#setsOf(rest: readonly PlacedGang[], { slots }: FleetOption): Iterable<readonly PlacedGang[]> {
    yield rest;
    if (slots.length === 1) yield* byInstance(rest).slice(0, MOST_SETS);
    const ids = slots.flatMap((slot) => (slot.kind === 'existing' ? [slot.instance.id] : []));
    yield gangsOn(rest, new Set(ids));
  }

  /** Resources that the gang needs and that its project is guaranteed. */
  #guaranteedIn(request: GangRequest): string[] {
    const needed = leastAmounts(request);
    const resources = candidateFleets(this.#ledger, request).flatMap(({ id }) =>
      this.#firm.resourcesOf(request.run.projectId, id),
    );
    return [...new Set(resources)].filter((resource) => (needed[resource] ?? 0) > 0);
  }

  #leastUse(request: GangRequest): Use | null {
    const [fleet] = candidateFleets(this.#ledger, request);
    const { projectId } = request.run;
    return fleet ? { projectId, fleetId: fleet.id, amounts: leastAmounts(request) } : null;
  }

  /** It is protected until it has run long enough. */
  #departureOf({ claims }: PlacedGang): Departure {
    if (claims.some(({ eviction, isEnding }) => eviction !== null || isEnding)) return 'never';
    const protection = this.#settings.minRuntime * SECOND;
    const since = Math.max(...claims.map(({ runningAt }) => runningAt ?? 0));
    // A start that far ahead was written before the clock was set back: it protects nothing.
    const isProtected =
      since > 0 && since + protection > this.#now && since <= this.#now + protection;
    return isProtected ? { from: since + protection } : 'now';
  }

  /** Whether the gang is no replica that serves, or another one of its service still does. */
  #servesWithout(
    one: PlacedGang,
    chosen: readonly PlacedGang[],
    taken: ReadonlySet<string>,
  ): boolean {
    if (!isServing(one)) return true;
    const ready = this.#ready.get(one.runId) ?? [];
    return ready.some((other) => other !== one && !chosen.includes(other) && !taken.has(other.key));
  }

  #lookAgain(at: Timestamp): void {
    this.#again = this.#again === null ? at : Math.min(this.#again, at);
  }
}

/** It waits for others that are protected, or end anyway. */
const LATER: Leaving = { gangs: [], kind: 'reclaim', use: null, shares: [] };

/** A replica of a service that is ready, and stays. */
const isServing = ({ claims }: PlacedGang): boolean =>
  claims.some(({ isService, isReady }) => isService && isReady) &&
  !claims.some(({ isEnding }) => isEnding);

const isAsked = ({ claims }: PlacedGang): boolean =>
  claims.some(({ eviction }) => eviction !== null);
