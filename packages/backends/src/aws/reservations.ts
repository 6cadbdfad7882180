/** Reserved capacity of an account: capacity reservations and capacity blocks, each in one zone and of one type. */
import { errorMessage } from '@dstack/contract/error-message';
import { KeptAnswer } from '../base/kept-answer.ts';
import type { Ec2, ReservedCapacity } from './ec2.ts';
import { awsCode } from './refusals.ts';

export interface ReservationAnswer {
  readonly reservation: ReservedCapacity | null;
  /** Regions that do not answer, with the reasons. */
  readonly problems: readonly string[];
}

/** Machines come and go in it; plans ask about it again and again. */
const KEPT_MS = 10_000;
const REMEMBERED = 100;
/** No such reservation in this region. */
const UNKNOWN: ReadonlySet<string> = new Set([
  'InvalidCapacityReservationId.NotFound',
  'InvalidCapacityReservationId.Malformed',
]);

export class Reservations {
  readonly #regions: readonly string[];
  readonly #ec2Of: (region: string) => Pick<Ec2, 'reservation'>;
  readonly #now: () => number;
  readonly #kept = new Map<string, KeptAnswer<ReservationAnswer>>();

  /** `now`: milliseconds that no step of the clock moves. */
  constructor(
    regions: readonly string[],
    ec2Of: (region: string) => Pick<Ec2, 'reservation'>,
    now: () => number,
  ) {
    this.#regions = regions;
    this.#ec2Of = ec2Of;
    this.#now = now;
  }

  /** The active one with this id, whichever region it is in. */
  async find(id: string): Promise<ReservationAnswer> {
    const known = this.#kept.get(id);
    if (known) return await known.value();
    if (this.#kept.size >= REMEMBERED) this.#kept.clear();
    const kept = new KeptAnswer(KEPT_MS, this.#now, () => this.#asked(id));
    this.#kept.set(id, kept);
    return await kept.value();
  }

  async #asked(id: string): Promise<ReservationAnswer> {
    const answers = await Promise.all(this.#regions.map((region) => this.#in(region, id)));
    return {
      reservation: answers.find((one) => typeof one === 'object' && one !== null) ?? null,
      problems: answers.filter((one) => typeof one === 'string'),
    };
  }

  /** A text: why the region does not answer. */
  async #in(region: string, id: string): Promise<ReservedCapacity | string | null> {
    try {
      return await this.#ec2Of(region).reservation(id);
    } catch (error) {
      if (UNKNOWN.has(awsCode(error) ?? '')) return null;
      return `reservations of ${region} are not known: ${errorMessage(error)}`;
    }
  }
}

/** Why a reservation gives no offers, for plans; null = it does. */
export function reservationProblem(
  id: string,
  { reservation, problems }: ReservationAnswer,
): string | null {
  if (reservation === null) {
    return problems[0] ?? `no active reservation ${id} in the regions of the backend`;
  }
  if (reservation.available > 0) return null;
  return `reservation ${id} of ${reservation.type} in ${reservation.zone} has no machine left`;
}
