/** Reserved capacity: reservations that machines have to name, each in one zone and of one type. */
import { errorMessage } from '@dstack/contract/error-message';
import type { Offer } from '@dstack/core';
import { BackendError } from '../base/errors.ts';
import { KeptAnswer } from '../base/kept-answer.ts';
import { type Compute, lastSegment, regionOfZone } from './compute.ts';
import { acceleratorOf } from './machine-types.ts';

export interface GcpReservation {
  readonly name: string;
  readonly zone: string;
  readonly type: string;
  /** Null: none is attached. */
  readonly accelerator: { readonly name: string; readonly count: number } | null;
  /** Machines that it still has room for. */
  readonly left: number;
  /** Disks of the host that its machines have. */
  readonly localSsds: readonly LocalSsd[];
}

export interface LocalSsd {
  readonly diskSizeGb?: string;
  readonly interface?: 'NVME' | 'SCSI';
}

export interface ReservationAnswer {
  readonly reservations: readonly GcpReservation[];
  /** Why they are not known; null = they are. */
  readonly problem: string | null;
}

interface ReservationForm {
  readonly name: string;
  readonly zone: string;
  readonly status?: string;
  readonly specificReservationRequired?: boolean;
  readonly specificReservation?: {
    readonly inUseCount?: string;
    readonly assuredCount?: string;
    readonly count?: string;
    readonly instanceProperties?: {
      readonly machineType?: string;
      readonly guestAccelerators?: readonly {
        readonly acceleratorType: string;
        readonly acceleratorCount: number;
      }[];
      readonly localSsds?: readonly LocalSsd[];
    };
  };
}

/** Machines come and go in it; plans ask about it again and again. */
const KEPT_MS = 20_000;
const REMEMBERED = 100;
/** The name of a reservation, with the project if that is another one. */
const NAME =
  /^(?:projects\/([a-z0-9.:-]{1,130})\/reservations\/)?([a-z](?:[a-z0-9-]{0,61}[a-z0-9])?)$/;

export class Reservations {
  readonly #compute: Compute;
  readonly #now: () => number;
  readonly #kept = new Map<string, KeptAnswer<ReservationAnswer>>();

  /** `now`: milliseconds that no step of the clock moves. */
  constructor(compute: Compute, now: () => number) {
    this.#compute = compute;
    this.#now = now;
  }

  /** Those of this name, of which each zone may have one. */
  async find(given: string): Promise<ReservationAnswer> {
    const known = this.#kept.get(given);
    if (known) return await known.value();
    if (this.#kept.size >= REMEMBERED) this.#kept.clear();
    const kept = new KeptAnswer(KEPT_MS, this.#now, () => this.#asked(given));
    this.#kept.set(given, kept);
    return await kept.value();
  }

  async #asked(given: string): Promise<ReservationAnswer> {
    const [, project, name] = NAME.exec(given) ?? [];
    if (name === undefined) {
      return { reservations: [], problem: `${JSON.stringify(given)} is no name of a reservation` };
    }
    try {
      const { items, unreachable } = await this.#compute.aggregated<
        'reservations',
        ReservationForm
      >('reservations', { filter: `name = ${name}` }, project);
      const [missing] = unreachable;
      return {
        reservations: items.filter((one) => one.name === name).flatMap((one) => usable(one) ?? []),
        problem: missing === undefined ? null : `reservations of ${missing} are not known`,
      };
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      return { reservations: [], problem: `reservations are not known: ${errorMessage(error)}` };
    }
  }
}

/** Null: machines cannot name it, or it is not there yet. */
function usable(form: ReservationForm): GcpReservation | null {
  const { name, zone, status, specificReservationRequired, specificReservation } = form;
  const {
    machineType,
    guestAccelerators = [],
    localSsds = [],
  } = specificReservation?.instanceProperties ?? {};
  if (status !== 'READY' || !specificReservationRequired || machineType === undefined) return null;
  const { assuredCount, count, inUseCount } = specificReservation ?? {};
  const [first] = guestAccelerators;
  return {
    ...{ name, localSsds, zone: lastSegment(zone), type: lastSegment(machineType) },
    accelerator: first
      ? { name: lastSegment(first.acceleratorType), count: first.acceleratorCount }
      : null,
    left: Number(assuredCount ?? count ?? 0) - Number(inUseCount ?? 0),
  };
}

/** Null: the reservation is for others. Its quota was used when it was made. */
export function inReservation(offer: Offer, { reservations }: ReservationAnswer): Offer | null {
  const { name, resources } = offer.instance;
  if (resources.spot) return null;
  const accelerator = acceleratorOf(resources);
  const fitting = reservations.filter(
    (one) =>
      one.type === name &&
      regionOfZone(one.zone) === offer.region &&
      one.accelerator?.name === accelerator?.name &&
      (one.accelerator?.count ?? 0) === (accelerator?.count ?? 0),
  );
  if (fitting.length === 0) return null;
  const open = fitting.filter(({ left }) => left > 0);
  const zones = (open.length > 0 ? open : fitting).map(({ zone }) => zone);
  const availability = open.length > 0 ? 'available' : 'not_available';
  return { ...offer, availability, availability_zones: zones };
}

/** Why a reservation gives no offers, for plans; null = it does. */
export function reservationProblem(
  given: string,
  { reservations, problem }: ReservationAnswer,
): string | null {
  if (reservations.length === 0) {
    return (
      problem ??
      `no reservation ${given} is ready in the project and has to be named by its machines (specificReservationRequired)`
    );
  }
  if (reservations.some(({ left }) => left > 0)) return problem;
  const zones = reservations.map(({ zone }) => zone).join(', ');
  return `reservation ${given} of ${reservations[0]?.type} in ${zones} has no machine left`;
}
