/**
 * The order in which a pass examines waiting gangs, and the capacity it reserves for those that
 * have to wait (EASY backfill). Without reservations, smaller gangs could take the capacity that a
 * large one needs at once, again and again; they may only use what it cannot.
 */

import type {
  FleetRecord,
  Gang,
  Id,
  InstanceRecord,
  JobRecord,
  PlacementSnapshot,
  RunRecord,
} from '../model/index.ts';
import { isServerHost } from '../offers/capabilities.ts';
import { isJobSubmitted, isRunActive } from '../status/index.ts';
import type { CapacityLedger } from './capacity-ledger.ts';
import { candidateFleets, isClusterFor, newSlots, nodesNeeded } from './choose-fleet.ts';
import { type GangRequest, gangRequest } from './gang-request.ts';
import { type Ask, whyNotGrow } from './new-capacity.ts';
import { fitting } from './refusals.ts';

/** A gang with its place in the queue. */
export interface QueuedGang {
  readonly gang: Gang;
  readonly request: GangRequest;
  /**
   * Set for a run of another project, which the pass of that project places: the fleets that both
   * may use.
   */
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

/** Capacity of one fleet that can be held for a gang. */
interface Hold {
  readonly fleet: FleetRecord;
  /** Instances with free blocks, those with the most first. */
  readonly instances: readonly InstanceRecord[];
  /** Instances that the fleet may still add. */
  readonly places: number;
  readonly isLocal: boolean;
}

export class Holds {
  readonly #ledger: CapacityLedger;
  readonly #ask: Ask;
  /** Fleets with a hold: only the first gang of a fleet's queue gets one. */
  readonly #taken = new Set<Id>();

  constructor(ledger: CapacityLedger, ask: Ask) {
    this.#ledger = ledger;
    this.#ask = ask;
  }

  /** Holds free capacity in the fleet that lacks least for the gang. */
  keepFor(queued: QueuedGang): void {
    const holds = candidateFleets(this.#ledger, queued.request, queued.shared)
      .filter((fleet) => !this.#taken.has(fleet.id))
      .map((fleet) => this.#holdIn(fleet, queued))
      .filter((hold): hold is Hold => hold !== null);
    const [first, ...others] = holds;
    if (!first) return;
    const size = (hold: Hold): number => hold.instances.length + hold.places;
    const best = others.reduce((a, b) => (size(b) > size(a) ? b : a), first);
    const { run } = queued.gang;
    this.#taken.add(best.fleet.id);
    for (const instance of best.instances) this.#ledger.hold(instance, run);
    for (let i = 0; i < best.places; i++) {
      this.#ledger.holdPlace(best.fleet.id, best.isLocal, run);
    }
  }

  /** Null: the fleet has nothing free for the gang, or could never hold it. */
  #holdIn(fleet: FleetRecord, { request, shared }: QueuedGang): Hold | null {
    const ledger = this.#ledger;
    const [node] = request.nodes;
    if (!node || !isClusterFor(fleet, request)) return null;
    const mayGrow = whyNotGrow(ledger, fleet, 1, request) === null;
    if (!ledger.hasOpen(fleet.id) && !mayGrow) return null;
    const needed = nodesNeeded(ledger, request);
    const could = fitting(ledger, fleet, request);
    const fresh = mayGrow && !shared ? newSlots(ledger, fleet, request, this.#ask) : null;
    const offer = fresh && !('none' in fresh) ? fresh[0]?.offers[0] : undefined;
    const places = offer ? this.#placesIn(fleet, needed, isServerHost(offer.backend)) : 0;
    if (could.places + places < needed) return null;
    const open = new Set(ledger.openIn(fleet.id));
    const free = (one: InstanceRecord) => (one.totalBlocks ?? 0) - ledger.busyBlocks(one);
    const instances = could.instances
      .filter((one) => open.has(one))
      .sort((a, b) => free(b) - free(a) || a.instanceNum - b.instanceNum)
      .slice(0, needed);
    const missing = Math.min(places, needed - instances.length);
    if (instances.length + missing === 0) return null;
    return { fleet, instances, places: missing, isLocal: isServerHost(offer?.backend ?? null) };
  }

  #placesIn(fleet: FleetRecord, needed: number, isLocal: boolean): number {
    const max = fleet.spec.configuration.nodes?.max ?? null;
    const room = max === null ? needed : Math.max(0, max - this.#ledger.activeIn(fleet.id));
    return Math.min(needed, room, isLocal ? Math.max(0, this.#ledger.localLeft) : needed);
  }
}
