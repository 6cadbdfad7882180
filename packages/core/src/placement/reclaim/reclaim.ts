/**
 * Stage 5: gangs that are refused although their project is guaranteed what they need, or although jobs of lower
 * priority run in their project, ask others to leave. The request is stored with those who have to leave and with the
 * one who asks; the passes of their runs obey it.
 */
import type { Change, Gang, Id, PreemptionSettings, Timestamp } from '../../model/index.ts';
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
import { candidateFleets } from '../place/choose-fleet.ts';
import type { Ask } from '../place/new-capacity.ts';
import { leastAmounts } from '../quota/least.ts';
import type { QueuedGang } from '../rank/queue.ts';
import { preemptionOn } from './fleet-settings.ts';
import { Leavers, type Leaving, type Waiting } from './leavers.ts';
import { Plans } from './plans.ts';
import { evictionFor, evictionsOf, priorityChecks, reclaimOf, reclaimRecord } from './requests.ts';
import { type UsablePart, usableBy } from './usable.ts';

/** Gangs that ask in one pass; the others ask in the next one. */
const MOST_ASKERS = 8;

/** Looks for places in one pass: each arranges all instances anew. */
const MOST_LOOKS = 64;

export class Reclaim {
  readonly #ledger: CapacityLedger;
  readonly #ask: Ask;
  readonly #settingsOn: (fleetId: Id) => PreemptionSettings;
  readonly #now: Timestamp;
  readonly #gangs: readonly PlacedGang[];
  readonly #leavers: Leavers;
  /** By gang that has asked, those who have to leave for it and are still there. */
  readonly #served: ReadonlyMap<string, readonly Claim[]>;
  /** Used by claims and by entitled gangs that wait; by claims and by those that have asked already. */
  readonly #expected: Guarantees;
  readonly #firm: Guarantees;
  readonly #waiting: Waiting[] = [];
  /** They have asked, and are not entitled to anything any more. */
  readonly #lapsed: Gang[] = [];

  constructor(ledger: CapacityLedger, ask: Ask, settings: PreemptionSettings, now: Timestamp) {
    this.#ledger = ledger;
    this.#ask = ask;
    const fleets = new Map(ledger.fleets.map((fleet) => [fleet.id, fleet]));
    this.#settingsOn = (fleetId) => preemptionOn(fleets.get(fleetId), settings);
    const settingsOn = this.#settingsOn;
    this.#now = now;
    const { claims = [], instances, quotas = [] } = ledger.snapshot;
    const known = claimsOn(claims, instances);
    this.#gangs = placedGangs(known);
    this.#expected = new Guarantees(quotas, known);
    this.#firm = new Guarantees(quotas, known);
    this.#leavers = new Leavers({
      ...{ ledger, settingsOn, now, gangs: this.#gangs, firm: this.#firm },
    });
    this.#served = Map.groupBy(
      known.filter(({ eviction }) => eviction !== null),
      ({ eviction }) => (eviction === null ? '' : gangKeyOf(eviction)),
    );
  }

  get again(): Timestamp | null {
    return this.#leavers.again;
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
    const modes = new Set(
      candidateFleets(this.#ledger, queued.request).map(({ id }) => this.#settingsOn(id).mode),
    );
    if (!modes.has('reclaim') && !modes.has('priority')) return;
    const use = isKeptByQuota ? null : this.#useWithin(queued.request);
    const isWithin = use !== null;
    if (!isWithin && (!modes.has('priority') || this.#gangs.length === 0)) {
      this.#lapse(queued.gang);
      return;
    }
    const isEntitled = (one: Use) => !isWithin || this.#expected.isWithin(one);
    const parts = usableBy(this.#ledger, queued.request, this.#ask, isEntitled).filter(
      ({ fleetId }) => this.#settingsOn(fleetId).mode !== 'off',
    );
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
    const plans = this.#presentPlans();
    const inVain = new Set<string>();
    let asked = 0;
    let isCut = false;
    for (const waiting of this.#waiting) {
      const { queued, isWithin } = waiting;
      const { request, gang } = queued;
      if (this.#isServed(gang)) {
        const use = isWithin ? this.#leavers.leastUse(request) : null;
        if (use) this.#firm.claim(use);
        continue;
      }
      const kind = `${isWithin} ${request.priority} ${demandKey(this.#ledger, request)}`;
      if (asked >= MOST_ASKERS || this.#leavers.looks >= MOST_LOOKS) {
        isCut = true;
        continue;
      }
      const found = inVain.has(kind) ? null : this.#leavers.for(waiting, plans);
      if (found === null) {
        inVain.add(kind);
        if (!isWithin) this.#lapse(gang);
      } else if (found.gangs.length > 0) {
        asked += 1;
        const request = this.#requestOf(gang, found, plans);
        changes.push(...request.changes);
        runs.push(...request.runs);
      } else if (!gang.jobs[0]?.reclaim) {
        // Without `retry` it waits for those that are protected or end anyway.
        changes.push(...reclaimOf(gang, { since: this.#now, runs: [], instances: [] }));
        runs.push(gang.run.id);
      }
    }
    // Only after a pass that has changed something, or it would be repeated for ever.
    if (isCut && asked > 0) this.#leavers.lookAgain(this.#now + SECOND);
    for (const gang of this.#lapsed) {
      changes.push(...reclaimOf(gang, null));
      // Those who were asked to leave may stay.
      runs.push(gang.run.id, ...(gang.jobs[0]?.reclaim?.runs ?? []));
    }
    return { changes, runs: [...new Set(runs)] };
  }

  /** The places of those that have asked in earlier passes. */
  #presentPlans(): Plans {
    const plans = new Plans();
    for (const { queued } of this.#waiting) {
      const { reclaim = null } = queued.gang.jobs[0] ?? {};
      const key = gangKey(queued.gang);
      if (reclaim) plans.add(key, reclaim, this.#served.get(key) ?? []);
    }
    return plans;
  }

  #requestOf(gang: Gang, { gangs, kind, shares, use }: Leaving, plans: Plans) {
    this.#leavers.take(gangs);
    const claims = gangs.flatMap((one) => one.claims);
    const reclaim = reclaimRecord(claims, shares, this.#now);
    plans.add(gangKey(gang), reclaim, claims);
    const evictions = gangs.flatMap(({ claims: own, fleetId }) => {
      const { grace } = this.#settingsOn(fleetId);
      return evictionsOf(own, evictionFor(gang, kind, this.#now, grace));
    });
    if (use) this.#firm.claim(use);
    const checks = kind === 'priority' ? priorityChecks(gang, gangs) : [];
    return {
      changes: [...checks, ...evictions, ...reclaimOf(gang, reclaim)],
      runs: [gang.run.id, ...claims.map(({ runId }) => runId)],
    };
  }

  #lapse(gang: Gang): void {
    if (gang.jobs[0]?.reclaim && !this.#isServed(gang)) this.#lapsed.push(gang);
  }

  /** Those whom it has asked to leave are still there. */
  #isServed(gang: Gang): boolean {
    return this.#served.has(gangKey(gang));
  }
}
