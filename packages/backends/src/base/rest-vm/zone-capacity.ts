/** The zones in which the provider had no machine of a type a moment ago, on demand or spot. */
import { gpusOf, type RefusedOffer } from './live-offers.ts';

/** For so long it is not asked there again while another zone is left. */
const SOLD_OUT_MS = 60_000;

export class ZoneCapacity {
  readonly #now: () => number;
  /** When a zone may be asked again, by type and zone. */
  readonly #until = new Map<string, number>();

  /** `now`: milliseconds that no step of the clock moves. */
  constructor(now: () => number) {
    this.#now = now;
  }

  refused(offer: RefusedOffer): void {
    const now = this.#now();
    for (const [key, until] of this.#until) if (until <= now) this.#until.delete(key);
    for (const zone of offer.availability_zones ?? []) {
      this.#until.set(keyOf(offer, zone), now + SOLD_OUT_MS);
    }
  }

  /** The zones that may be asked. */
  open(offer: RefusedOffer, zones: readonly string[]): readonly string[] {
    const now = this.#now();
    return zones.filter((zone) => (this.#until.get(keyOf(offer, zone)) ?? now) <= now);
  }
}

const keyOf = ({ instance: { name, resources } }: RefusedOffer, zone: string): string =>
  `${name} ${gpusOf(resources)} ${resources.spot} ${zone}`;
