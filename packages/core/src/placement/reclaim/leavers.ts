/** Who has to leave for one gang that waits: those whom others borrow, and those of lower priority. */
import type {
  EvictionRecord,
  Id,
  PlannedShare,
  PreemptionSettings,
  Timestamp,
} from '../../model/index.ts';
import { SECOND } from '../../model/values.ts';
import type { PlacedGang } from '../../quotas/claims.ts';
import type { Guarantees, Use } from '../../quotas/guarantees.ts';
import { type GangRequest, gangKey } from '../gang-request.ts';
import type { CapacityLedger } from '../place/capacity-ledger.ts';
import { candidateFleets, type FleetOption } from '../place/choose-fleet.ts';
import { leastAmounts } from '../quota/least.ts';
import { amountsOfOption } from '../quota/slots.ts';
import type { QueuedGang } from '../rank/queue.ts';
import { Lenders } from './lenders.ts';
import { byInstance, gangsOn } from './places.ts';
import { type Plans, sharesOf } from './plans.ts';
import { placeWithout } from './trial.ts';
import {
  chooseVictims,
  MOST_ON_PLACE,
  type Next,
  nextBorrowed,
  nextOfLowerPriority,
} from './victims.ts';

/** Instances that are tried for one gang. */
const MOST_SETS = 8;

/** Those who have to leave; `use`: what the gang will use of its guarantee. */
export interface Leaving {
  readonly gangs: readonly PlacedGang[];
  readonly kind: EvictionRecord['kind'];
  readonly use: Use | null;
  readonly shares: readonly PlannedShare[];
}

/** It waits for others that are protected, or end anyway. */
export const LATER: Leaving = { gangs: [], kind: 'reclaim', use: null, shares: [] };

/** Who waits, and the instances that it could use. */
export interface Waiting {
  readonly queued: QueuedGang;
  readonly isWithin: boolean;
  readonly usable: ReadonlySet<Id>;
}

/** Whether a gang may leave: at once, from a time on, or not. */
type Departure = 'now' | 'never' | { readonly from: Timestamp };

/** A set of gangs of which some leave; `most`: as many of them are looked at. */
interface Candidates {
  readonly gangs: readonly PlacedGang[];
  readonly most?: number;
}

export interface LeaversFacts {
  readonly ledger: CapacityLedger;
  readonly settingsOn: (fleetId: Id) => PreemptionSettings;
  readonly now: Timestamp;
  /** All gangs with a place, oldest claim first. */
  readonly gangs: readonly PlacedGang[];
  /** Used by claims and by those that have asked already. */
  readonly firm: Guarantees;
}

export class Leavers {
  readonly #facts: LeaversFacts;
  /** All of their claims end anyway. */
  readonly #ending: readonly PlacedGang[];
  /** By run, the replicas of a service that serve and have not been asked to leave. */
  readonly #ready: ReadonlyMap<Id, readonly PlacedGang[]>;
  /** Gangs that leave for others already. */
  readonly #taken: Set<string>;
  /** The use of projects when these have left. */
  #lenders: Lenders;
  /** By resources. */
  readonly #borrowed = new Map<string, readonly PlacedGang[]>();
  #looks = 0;
  /** When a protected gang may have to leave: look again then. */
  #again: Timestamp | null = null;

  constructor(facts: LeaversFacts) {
    this.#facts = facts;
    const { gangs } = facts;
    this.#ending = gangs.filter(({ claims }) => claims.every(({ isEnding }) => isEnding));
    this.#taken = new Set(gangs.filter(isAsked).map(({ key }) => key));
    this.#lenders = this.#presentLenders();
    this.#ready = Map.groupBy(
      gangs.filter((one) => isServing(one) && !isAsked(one)),
      ({ runId }) => runId,
    );
  }

  get again(): Timestamp | null {
    return this.#again;
  }

  /** Looks for places so far: each arranges all instances anew. */
  get looks(): number {
    return this.#looks;
  }

  lookAgain(at: Timestamp): void {
    this.#again = this.#again === null ? at : Math.min(this.#again, at);
  }

  /** These leave: for others, their projects do not use anything there any more. */
  take(gangs: readonly PlacedGang[]): void {
    for (const { key } of gangs) this.#taken.add(key);
    this.#lenders = this.#presentLenders();
    this.#borrowed.clear();
  }

  /** Null: there is no gang that it may ask; `LATER`: it waits for gangs that it may not ask yet. */
  for({ queued, isWithin, usable }: Waiting, plans: Plans): Leaving | null {
    const { request, gang } = queued;
    const { projectId } = request.run;
    const { gangs, settingsOn, firm } = this.#facts;
    const isOpen = (one: PlacedGang) =>
      settingsOn(one.fleetId).mode !== 'off' &&
      !this.#taken.has(one.key) &&
      one.claims.some(({ instanceId }) => usable.has(instanceId));
    // These jobs end anyway: if they are enough, no other job has to leave.
    const ending = this.#ending.filter(isOpen);
    const resources = isWithin ? this.#guaranteedIn(request) : [];
    const foreign = this.#borrowedIn(resources).filter(
      (one) => one.projectId !== projectId && isOpen(one),
    );
    const lower = gangs.filter(
      (one) =>
        one.projectId === projectId &&
        one.priority < request.priority &&
        settingsOn(one.fleetId).mode === 'priority' &&
        isOpen(one),
    );
    if (ending.length + foreign.length + lower.length === 0) return null;
    const others = plans.without(gangKey(gang));
    const option = (leaving: readonly PlacedGang[]) => {
      this.#looks += 1;
      const claims = [...ending, ...leaving].flatMap((one) => one.claims);
      return placeWithout(this.#facts.ledger, request, claims, others);
    };
    if (option([]) !== null) return isWithin || ending.length > 0 ? LATER : null;
    const within = (leaving: readonly PlacedGang[]): FleetOption | null => {
      const found = option(leaving);
      if (found === null) return null;
      const use = { projectId, fleetId: found.fleet.id, amounts: amountsOfOption(found) };
      return firm.isWithin(use) ? found : null;
    };
    const reclaimed = this.#chosenOf(
      foreign,
      (some) => this.#nextBorrowed(some, resources),
      within,
    );
    if (reclaimed === LATER) return LATER;
    if (reclaimed) return { ...reclaimed, use: this.leastUse(request) };
    const found = this.#chosenOf(lower, (some) => this.#nextLower(some), option);
    return found === null || found === LATER ? found : { ...found, kind: 'priority' };
  }

  leastUse(request: GangRequest): Use | null {
    const [fleet] = candidateFleets(this.#facts.ledger, request);
    const { projectId } = request.run;
    return fleet ? { projectId, fleetId: fleet.id, amounts: leastAmounts(request) } : null;
  }

  #nextBorrowed(gangs: readonly PlacedGang[], resources: readonly string[]): Next {
    const { now } = this.#facts;
    const mayLeave = this.#mayLeave;
    return nextBorrowed(gangs, { lenders: this.#lenders, resources, now, mayLeave });
  }

  #nextLower(gangs: readonly PlacedGang[]): Next {
    return nextOfLowerPriority(gangs, this.#facts.now, this.#mayLeave);
  }

  #presentLenders(): Lenders {
    const { gangs, firm } = this.#facts;
    const leaving = new Set(this.#ending.map(({ key }) => key));
    return new Lenders({
      gangs: gangs.filter(({ key }) => !leaving.has(key) && !this.#taken.has(key)),
      guaranteesOf: (id) => firm.ofProject(id),
      weightOf: (id) => firm.weightOf(id),
    });
  }

  /** Gangs that their projects borrow in one of these resources. */
  #borrowedIn(resources: readonly string[]): readonly PlacedGang[] {
    if (resources.length === 0) return [];
    const key = [...resources].sort().join(' ');
    const known = this.#borrowed.get(key);
    if (known) return known;
    const found = this.#facts.gangs.filter((one) => this.#lenders.isBorrowed(one, [], resources));
    this.#borrowed.set(key, found);
    return found;
  }

  /**
   * Returns those of these gangs that leave now; `LATER`: there is room when protections end. `placeOf`: where
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
      for (const { gangs: some, most } of this.#setsOf(rest, place)) {
        const found = chooseVictims(nextOf(some), fits, most);
        const place = found && placeOf(found);
        if (found && place) return { ...LATER, gangs: found, shares: sharesOf(place) };
      }
    }
    const later = departures.flatMap(({ one, departure }) =>
      typeof departure === 'object' ? [{ one, from: departure.from }] : [],
    );
    if (later.length === 0 || !fits([...rest, ...later.map(({ one }) => one)])) return null;
    this.lookAgain(Math.min(...later.map(({ from }) => from)));
    return LATER;
  }

  /**
   * Those of whom some may leave: all; those on one instance, of a few; those on the instances that the gang would get if
   * all left.
   */
  *#setsOf(rest: readonly PlacedGang[], { slots }: FleetOption): Iterable<Candidates> {
    yield { gangs: rest };
    if (slots.length === 1) {
      for (const gangs of byInstance(rest).slice(0, MOST_SETS)) yield { gangs };
    }
    const ids = slots.flatMap((slot) => (slot.kind === 'existing' ? [slot.instance.id] : []));
    yield { gangs: gangsOn(rest, new Set(ids)), most: MOST_ON_PLACE };
  }

  /** Resources that the gang needs and that its project is guaranteed. */
  #guaranteedIn(request: GangRequest): string[] {
    const needed = leastAmounts(request);
    const resources = candidateFleets(this.#facts.ledger, request).flatMap(({ id }) =>
      this.#facts.firm.resourcesOf(request.run.projectId, id),
    );
    return [...new Set(resources)].filter((resource) => (needed[resource] ?? 0) > 0);
  }

  /** It is protected until it has run long enough. */
  #departureOf({ claims, fleetId }: PlacedGang): Departure {
    const { settingsOn, now } = this.#facts;
    if (claims.some(({ eviction, isEnding }) => eviction !== null || isEnding)) return 'never';
    const protection = settingsOn(fleetId).minRuntime * SECOND;
    const since = Math.max(...claims.map(({ runningAt }) => runningAt ?? 0));
    // A start that far ahead was written before the clock was set back: it protects nothing.
    const isProtected = since > 0 && since + protection > now && since <= now + protection;
    return isProtected ? { from: since + protection } : 'now';
  }

  /** Whether the gang is no replica that serves, or another one of its service still does. */
  readonly #mayLeave = (one: PlacedGang, chosen: readonly PlacedGang[]): boolean => {
    if (!isServing(one)) return true;
    const ready = this.#ready.get(one.runId) ?? [];
    return ready.some(
      (other) => other !== one && !chosen.includes(other) && !this.#taken.has(other.key),
    );
  };
}

/** A replica of a service that is ready, and stays. */
const isServing = ({ claims }: PlacedGang): boolean =>
  claims.some(({ isService, isReady }) => isService && isReady) &&
  !claims.some(({ isEnding }) => isEnding);

const isAsked = ({ claims }: PlacedGang): boolean =>
  claims.some(({ eviction }) => eviction !== null);
