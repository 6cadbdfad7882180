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
  PreemptionSettings,
  ReclaimRecord,
  Timestamp,
} from '../../model/index.ts';
import { SECOND } from '../../model/values.ts';
import { type Claim, claimsOn, type PlacedGang, placedGangs } from '../../quotas/claims.ts';
import { Guarantees, type Use } from '../../quotas/guarantees.ts';
import type { GangRequest } from '../gang-request.ts';
import type { CapacityLedger } from '../place/capacity-ledger.ts';
import { candidateFleets } from '../place/choose-fleet.ts';
import { fitting } from '../place/refusals.ts';
import { leastAmounts } from '../quota/least.ts';
import { amountsOfOption } from '../quota/slots.ts';
import type { QueuedGang } from '../rank/queue.ts';
import { placeWithout } from './trial.ts';
import { chooseVictims, nextBorrowed, nextOfLowerPriority } from './victims.ts';

export const DEFAULT_PREEMPTION: PreemptionSettings = {
  mode: 'reclaim',
  minRuntime: 300,
  grace: 60,
};

/** Gangs that ask in one pass; the others ask in the next one. */
const MOST_ASKERS = 8;

/** Sets of leavers that are tried for one gang, each without the first of the set before. */
const MOST_SETS = 8;

/** Those who have to leave; `use`: what the gang will use of its guarantee. */
interface Leaving {
  readonly gangs: readonly PlacedGang[];
  readonly kind: EvictionRecord['kind'];
  readonly use: Use | null;
}

export class Reclaim {
  readonly #ledger: CapacityLedger;
  readonly #settings: PreemptionSettings;
  readonly #now: Timestamp;
  readonly #gangs: readonly PlacedGang[];
  /** Used by claims and by entitled gangs that wait; by claims and by those that have asked already. */
  readonly #expected: Guarantees;
  readonly #firm: Guarantees;
  readonly #waiting: { readonly queued: QueuedGang; readonly isWithin: boolean }[] = [];
  /** They have asked, and are not entitled to anything any more. */
  readonly #lapsed: QueuedGang[] = [];
  /** When a protected gang may have to leave: look again then. */
  #again: Timestamp | null = null;

  constructor(ledger: CapacityLedger, settings: PreemptionSettings, now: Timestamp) {
    this.#ledger = ledger;
    this.#settings = settings;
    this.#now = now;
    const { claims = [], instances, quotas = [] } = ledger.snapshot;
    const known = claimsOn(claims, instances);
    this.#gangs = placedGangs(known);
    this.#expected = new Guarantees(quotas, known);
    this.#firm = new Guarantees(quotas, known);
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
    if (!isWithin && mode !== 'priority') {
      if (queued.gang.jobs[0]?.reclaim && !this.#isServed(queued.gang)) this.#lapsed.push(queued);
      return;
    }
    this.#waiting.push({ queued, isWithin });
    if (use === null) return;
    this.#expected.claim(use);
    for (const fleet of candidateFleets(this.#ledger, queued.request)) {
      const { instances } = fitting(this.#ledger, fleet, queued.request);
      const ids = instances.flatMap((alike) => alike.first(alike.size).map(({ id }) => id));
      this.#ledger.lending.close(fleet.id, ids);
    }
  }

  /** The requests of this pass, and the runs that they concern. */
  requests(): { readonly changes: readonly Change[]; readonly runs: readonly Id[] } {
    const changes: Change[] = [];
    const runs: Id[] = [];
    const taken = new Set(this.#gangs.filter(isAsked).map(({ key }) => key));
    const kept = new Set<Id>();
    for (const { queued } of this.#waiting) {
      for (const id of queued.gang.jobs[0]?.reclaim?.instances ?? []) kept.add(id);
    }
    for (const { gang } of this.#lapsed) {
      changes.push(...reclaimOf(gang, null));
      runs.push(gang.run.id);
    }
    let asked = 0;
    for (const { queued, isWithin } of this.#waiting) {
      if (asked >= MOST_ASKERS) {
        this.#lookAgain(this.#now + SECOND);
        break;
      }
      if (this.#isServed(queued.gang)) {
        const use = isWithin ? this.#leastUse(queued.request) : null;
        if (use) this.#firm.claim(use);
        continue;
      }
      asked += 1;
      const found = this.#leaversFor(queued, isWithin, taken, kept);
      if (found === null || found.gangs.length === 0) {
        // Without `retry` it waits for those that are protected or end anyway.
        const isLater = found !== null || this.#again !== null;
        if (!isLater || queued.gang.jobs[0]?.reclaim) continue;
        changes.push(...reclaimOf(queued.gang, { since: this.#now, runs: [], instances: [] }));
        runs.push(queued.gang.run.id);
        continue;
      }
      for (const one of found.gangs) taken.add(one.key);
      const claims = found.gangs.flatMap((one) => one.claims);
      for (const { instanceId } of claims) kept.add(instanceId);
      changes.push(...this.#request(queued.gang, found.kind, claims));
      if (found.use) this.#firm.claim(found.use);
      runs.push(queued.gang.run.id, ...claims.map(({ runId }) => runId));
    }
    return { changes, runs: [...new Set(runs)] };
  }

  /** Those whom it has asked to leave are still there. */
  #isServed({ run, jobs }: Gang): boolean {
    const replicaNum = jobs[0]?.replicaNum;
    return this.#gangs.some(({ claims }) =>
      claims.some(
        ({ eviction }) => eviction?.runId === run.id && eviction.replicaNum === replicaNum,
      ),
    );
  }

  #leaversFor(
    queued: QueuedGang,
    isWithin: boolean,
    taken: ReadonlySet<string>,
    kept: ReadonlySet<Id>,
  ): Leaving | null {
    const open = this.#gangs.filter(({ key }) => !taken.has(key));
    // What ends anyway: no other job has to leave if it is enough.
    const ending = open.filter(({ claims }) => claims.every(({ isEnding }) => isEnding));
    const ownInstances = new Set(queued.gang.jobs[0]?.reclaim?.instances ?? []);
    const others = new Set([...kept].filter((id) => !ownInstances.has(id)));
    const option = (leaving: readonly PlacedGang[]) =>
      placeWithout(
        this.#ledger,
        queued.request,
        [...ending, ...leaving].flatMap((one) => one.claims),
        others,
      );
    if (option([]) !== null) return { gangs: [], kind: 'reclaim', use: null };
    const candidates = open.filter((one) => !ending.includes(one) && this.#mayLeave(one));
    const { projectId } = queued.request.run;
    if (isWithin) {
      const found = this.#reclaimed(queued, candidates, option);
      if (found) return { gangs: found, kind: 'reclaim', use: this.#leastUse(queued.request) };
    }
    if (this.#settings.mode !== 'priority') return null;
    const lower = candidates.filter(
      (one) => one.projectId === projectId && one.priority < queued.request.priority,
    );
    if (lower.length === 0 || option(lower) === null) return null;
    const fits = (leaving: readonly PlacedGang[]) => option(leaving) !== null;
    const found = chooseVictims(nextOfLowerPriority(lower, this.#now), fits);
    return found && { gangs: found, kind: 'priority', use: null };
  }

  #reclaimed(
    queued: QueuedGang,
    candidates: readonly PlacedGang[],
    option: (leaving: readonly PlacedGang[]) => ReturnType<typeof placeWithout>,
  ): readonly PlacedGang[] | null {
    const { projectId } = queued.request.run;
    const needed = leastAmounts(queued.request);
    const resources = [
      ...new Set(
        candidateFleets(this.#ledger, queued.request).flatMap(({ id }) =>
          this.#firm.resourcesOf(projectId, id),
        ),
      ),
    ].filter((resource) => (needed[resource] ?? 0) > 0);
    const lenders = {
      ...{ gangs: this.#gangs, resources },
      guaranteedOf: (id: Id, resource: string) => this.#firm.guaranteedOf(id, resource),
      weightOf: (id: Id) => this.#firm.weightOf(id),
    };
    const fits = (leaving: readonly PlacedGang[]): boolean => {
      const found = option(leaving);
      if (found === null) return false;
      const use = { projectId, fleetId: found.fleet.id, amounts: amountsOfOption(found) };
      return this.#firm.isWithin(use);
    };
    let rest = candidates.filter((one) => one.projectId !== projectId);
    if (rest.length === 0 || !fits(rest)) return null;
    for (let sets = 0; sets < MOST_SETS && rest.length > 0; sets++) {
      const next = nextBorrowed(rest, lenders, this.#now);
      const found = chooseVictims(next, fits);
      if (found !== null) return found;
      const first = next([]);
      rest = rest.filter((one) => one !== first);
    }
    return null;
  }

  #leastUse(request: GangRequest): Use | null {
    const [fleet] = candidateFleets(this.#ledger, request);
    const { projectId } = request.run;
    return fleet ? { projectId, fleetId: fleet.id, amounts: leastAmounts(request) } : null;
  }

  /** Not protected: it has run long enough, and is not the last ready replica of a service. */
  #mayLeave({ claims, runId }: PlacedGang): boolean {
    if (claims.some(({ eviction, isEnding }) => eviction !== null || isEnding)) return false;
    const since = Math.max(...claims.map(({ runningAt }) => runningAt ?? 0));
    const until = since + this.#settings.minRuntime * SECOND;
    if (since > 0 && until > this.#now) {
      this.#lookAgain(until);
      return false;
    }
    if (!claims.some(({ isService, isReady }) => isService && isReady)) return true;
    const ready = this.#gangs.filter(
      (one) =>
        one.runId === runId &&
        one.claims.some(({ isReady, eviction }) => isReady && eviction === null),
    );
    return ready.length > 1;
  }

  #lookAgain(at: Timestamp): void {
    this.#again = this.#again === null ? at : Math.min(this.#again, at);
  }

  #request(gang: Gang, kind: EvictionRecord['kind'], claims: readonly Claim[]): Change[] {
    const { run, jobs } = gang;
    const eviction: EvictionRecord = {
      ...{ runId: run.id, replicaNum: jobs[0]?.replicaNum ?? 0, kind },
      ...{ requestedAt: this.#now, seconds: this.#settings.grace },
    };
    const reclaim = {
      since: this.#now,
      runs: [...new Set(claims.map(({ runId }) => runId))],
      instances: [...new Set(claims.map(({ instanceId }) => instanceId))],
    };
    return [
      ...claims.map(
        ({ jobId: id, version }): Change => ({
          type: 'job.update',
          id,
          version,
          set: { eviction },
        }),
      ),
      ...reclaimOf(gang, reclaim),
    ];
  }
}

const isAsked = ({ claims }: PlacedGang): boolean =>
  claims.some(({ eviction }) => eviction !== null);

function reclaimOf({ jobs }: Gang, reclaim: ReclaimRecord | null): Change[] {
  return jobs.map(({ id, version }) => ({ type: 'job.update', id, version, set: { reclaim } }));
}
