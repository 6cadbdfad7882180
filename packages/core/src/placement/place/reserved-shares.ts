/** The reservations of waiting gangs, for the gangs that could use the capacity meanwhile. */
import type { Id, InstanceRecord, ReservedShare, Timestamp } from '../../model/index.ts';
import { SECOND } from '../../model/values.ts';
import type { GangRequest, QueueStanding } from '../gang-request.ts';
import type { Claimant } from './claimant.ts';
import type { KnownEnds } from './known-ends.ts';

export interface Reservation {
  /** See `GangRequest.key`. */
  readonly key: string;
  readonly by: Claimant;
  readonly standing: QueueStanding;
  /** In a pool that is shared by weight, a priority has no meaning for other projects. */
  readonly isShared: boolean;
  readonly fleetId: Id;
  readonly startsAt: Timestamp;
  /**
   * Others that end by then may use it: the start, unless that was put off for too long; Infinity = others leave
   * before the start in any case.
   */
  readonly openUntil: Timestamp;
  readonly shares: readonly ReservedShare[];
}

interface Share {
  readonly of: Reservation;
  readonly blocks: number;
}

export class ReservedShares {
  readonly #ends: KnownEnds;
  /** A fleet has one reservation, so an instance is in one at most. */
  readonly #shares = new Map<Id, Share>();
  readonly #byFleet = new Map<Id, Reservation>();

  constructor(ends: KnownEnds) {
    this.#ends = ends;
  }

  /** Whether anything is reserved. */
  get isEmpty(): boolean {
    return this.#byFleet.size === 0;
  }

  inFleet(fleetId: Id): Reservation | null {
    return this.#byFleet.get(fleetId) ?? null;
  }

  of(key: string): Reservation | null {
    for (const one of this.#byFleet.values()) if (one.key === key) return one;
    return null;
  }

  /** The earliest start that is to come; null = there is none. */
  get nextStart(): Timestamp | null {
    const { now } = this.#ends;
    const starts = [...this.#byFleet.values()].map(({ startsAt }) => startsAt);
    const next = Math.min(...starts.filter((at) => at > now));
    return Number.isFinite(next) ? next : null;
  }

  put(reservation: Reservation): void {
    this.#byFleet.set(reservation.fleetId, reservation);
    for (const { instanceId, blocks } of reservation.shares) {
      this.#shares.set(instanceId, { of: reservation, blocks });
    }
  }

  drop({ fleetId, shares }: Reservation): void {
    this.#byFleet.delete(fleetId);
    for (const { instanceId } of shares) this.#shares.delete(instanceId);
  }

  clear(): void {
    this.#byFleet.clear();
    this.#shares.clear();
  }

  holderOf(instanceId: Id): Claimant | null {
    return this.#shares.get(instanceId)?.of.by ?? null;
  }

  /**
   * The blocks of an instance that the gang cannot use, of which `busy` are in use. A gang that ends
   * while the reservation is open may use all that is free; another one what is left beside it then.
   */
  busyFor(instance: InstanceRecord, busy: number, request: GangRequest): number {
    const share = this.#shares.get(instance.id);
    if (share === undefined || !this.#binds(share.of, request)) return busy;
    const { startsAt } = share.of;
    const stays = busy - this.#ends.freedBy(instance.id, startsAt);
    return Math.max(busy, stays + share.blocks);
  }

  #binds(reservation: Reservation, request: GangRequest): boolean {
    if (reservation.key === request.key || givesWay(reservation, request)) return false;
    const end = request.limit === null ? Infinity : this.#ends.now + request.limit * SECOND;
    return end > reservation.openUntil;
  }
}

/**
 * A reservation gives way to a gang with more right to capacity, or of a higher priority: not to one that has
 * come to be ahead.
 */
export function givesWay(
  { by, standing, isShared }: Pick<Reservation, 'by' | 'standing' | 'isShared'>,
  asker: Pick<GangRequest, 'standing' | 'priority' | 'run'>,
): boolean {
  if (asker.standing !== standing) return asker.standing < standing;
  if (isShared && asker.run.projectId !== by.projectId) return false;
  return asker.priority > by.priority;
}
