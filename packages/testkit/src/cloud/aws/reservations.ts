/** Capacity reservations and capacity blocks, which moto lacks. */
import { type Fields, listed } from './ec2-request.ts';
import { type Ec2Answer, ec2Answer, ec2Error } from './ec2-xml.ts';

export interface Ec2Reservation {
  readonly id: string;
  readonly region: string;
  readonly type: string;
  readonly zone: string;
  readonly count: number;
  /** A capacity block, which is ordered as a market of its own. */
  readonly isBlock?: boolean;
}

/** The field of an order that names one. */
export const RESERVATION =
  'CapacityReservationSpecification.CapacityReservationTarget.CapacityReservationId';

export class Ec2Reservations {
  readonly #reservations = new Map<string, Ec2Reservation>();
  /** Reservations of machines that were not ended. */
  readonly #used = new Map<string, string>();

  add(reservation: Ec2Reservation): void {
    this.#reservations.set(reservation.id, reservation);
  }

  /** Null: another action. */
  answer(region: string, fields: Fields): Ec2Answer | null {
    if (fields.Action !== 'DescribeCapacityReservations') return null;
    if (fields.DryRun === 'true') {
      return ec2Error(412, 'DryRunOperation', 'Request would have succeeded');
    }
    const ids = listed(fields, 'CapacityReservationId');
    const malformed = ids.find((id) => !/^cr-[0-9a-f]{17}$/.test(id));
    if (malformed !== undefined) {
      const message = `Invalid id: "${malformed}"`;
      return ec2Error(400, 'InvalidCapacityReservationId.Malformed', message);
    }
    const missing = ids.find((id) => this.#reservations.get(id)?.region !== region);
    if (missing !== undefined) {
      const message = `The capacity reservation ID '${missing}' does not exist`;
      return ec2Error(400, 'InvalidCapacityReservationId.NotFound', message);
    }
    const items = ids.flatMap((id) => this.#reservations.get(id) ?? []);
    const list = items.map((one) => `<item>${this.#form(one)}</item>`).join('');
    const set = `<capacityReservationSet>${list}</capacityReservationSet>`;
    return ec2Answer('DescribeCapacityReservations', set);
  }

  #form(reservation: Ec2Reservation): string {
    const { id, type, zone, count, isBlock } = reservation;
    const parts = {
      ...{ capacityReservationId: id, instanceType: type, availabilityZone: zone },
      ...{ tenancy: 'default', state: 'active', totalInstanceCount: count },
      availableInstanceCount: this.#left(reservation),
      reservationType: isBlock ? 'capacity-block' : 'default',
    };
    return Object.entries(parts)
      .map(([name, value]) => `<${name}>${value}</${name}>`)
      .join('');
  }

  #left({ id, count }: Ec2Reservation): number {
    return count - [...this.#used.values()].filter((used) => used === id).length;
  }

  /** Why an order is refused; null = it is not, or it is for no reservation. `zone`: of its subnet. */
  refusal(fields: Fields, zone: string | null): Ec2Answer | null {
    const id = fields[RESERVATION];
    if (id === undefined) return null;
    const reservation = this.#reservations.get(id);
    const market = fields['InstanceMarketOptions.MarketType'];
    const fits =
      reservation?.type === fields.InstanceType &&
      reservation?.zone === zone &&
      market === (reservation?.isBlock ? 'capacity-block' : undefined);
    if (!reservation || !fits) {
      return ec2Error(400, 'InvalidParameterCombination', `${id} is for no such instance`);
    }
    if (this.#left(reservation) > 0) return null;
    return ec2Error(400, 'ReservationCapacityExceeded', `${id} has no capacity left`);
  }

  onMade(vm: string, fields: Fields): void {
    const id = fields[RESERVATION];
    if (id !== undefined) this.#used.set(vm, id);
  }

  onTerminated(vm: string): void {
    this.#used.delete(vm);
  }
}
