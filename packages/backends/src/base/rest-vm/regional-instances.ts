/**
 * Machines of all regions. Each region is asked by itself, so one that does not answer delays only the
 * machines there, and those of a region that is configured no more are still followed and ended.
 */
import type { LeaseEnding, NoticeWatch } from '@dstack/contract/agent';
import type { InstanceHandle, Offer } from '@dstack/core';
import { BackendError, NoCapacityError, QuotaError, SkipOfferError } from '../errors.ts';
import type {
  CreatedInstance,
  HowReleased,
  InstanceOrder,
  InstancePort,
  ListedInstance,
  Observation,
} from '../instance-port.ts';
import { inRegionData, regionIn } from './in-region.ts';
import type { LiveOffers } from './live-offers.ts';
import type { ZoneCapacity } from './zone-capacity.ts';

export interface RegionalInstancesOptions {
  /** Name of the provider, for messages. */
  readonly title: string;
  readonly notices: NoticeWatch;
  readonly leaseEnding: LeaseEnding;
  /** The regions of the configuration: where machines are created and looked for. */
  readonly regions: readonly string[];
  /** Returns the parts of any region. */
  readonly of: (region: string) => RegionParts;
  readonly offers: Pick<LiveOffers, 'refused'>;
}

export interface RegionParts {
  readonly instances: InstancePort;
  /** Zones in which the network of the region has a subnet. */
  readonly zones: () => Promise<readonly string[]>;
  readonly capacity: Pick<ZoneCapacity, 'open'>;
  /**
   * Why nothing can be ordered there for now; null, or omitted: nothing prevents it. It is about orders that were never
   * sent: others have to be looked for all the same.
   */
  readonly refusal?: () => Promise<string | null>;
}

export class RegionalInstances implements InstancePort {
  readonly notices: NoticeWatch;
  readonly leaseEnding: LeaseEnding;
  readonly #options: RegionalInstancesOptions;

  constructor(options: RegionalInstancesOptions) {
    this.#options = options;
    this.notices = options.notices;
    this.leaseEnding = options.leaseEnding;
  }

  /** Asks one zone after another, as long as the provider has no capacity there. */
  async create(order: InstanceOrder): Promise<CreatedInstance> {
    const { offer } = order;
    const { title } = this.#options;
    if (offer === null) throw new SkipOfferError(`${title} creates machines from offers`);
    const { instances, capacity } = this.#options.of(offer.region);
    if (!order.mayExist) await this.#requireOpen(offer.region);
    const sold = await this.#zonesFor(order, offer);
    // A machine that an earlier attempt may have made is looked for first, which needs a zone.
    const isKept = order.mayExist || order.reservation !== null;
    const zones = isKept ? sold : capacity.open(offer, sold);
    let refusal: NoCapacityError | null = null;
    for (const [at, zone] of zones.entries()) {
      try {
        const inZone = { ...offer, availability_zones: [zone] };
        // The first zone has waited for what an earlier attempt may have made, in all zones.
        const mayExist = order.mayExist === true && at === 0;
        const created = await instances.create({ ...order, offer: inZone, mayExist });
        return inRegion(offer.region, created);
      } catch (error) {
        if (!(error instanceof NoCapacityError)) throw error;
        refusal = error;
        // Quotas hold for the whole region.
        if (error instanceof QuotaError) break;
      }
    }
    refusal ??= new NoCapacityError(
      `${title}: a moment ago no zone of ${offer.region} had a machine of this type left`,
    );
    const why = refusal instanceof QuotaError ? 'quota' : 'capacity';
    if (order.reservation === null) this.#options.offers.refused(offer, why, refusal.message);
    throw refusal;
  }

  async #requireOpen(region: string): Promise<void> {
    const refusal = (await this.#options.of(region).refusal?.()) ?? null;
    if (refusal !== null) throw new SkipOfferError(refusal);
  }

  /** Those where the type is sold and the network has a subnet; at least one. */
  async #zonesFor({ mayExist }: InstanceOrder, offer: Offer): Promise<readonly string[]> {
    const { region, availability_zones: sold } = offer;
    try {
      const open = await this.#options.of(region).zones();
      const zones = (sold ?? open).filter((zone) => open.includes(zone));
      if (zones.length > 0) return zones;
      throw new SkipOfferError(
        `the network of ${region} has no subnet in ${(sold ?? []).join(', ')}`,
      );
    } catch (error) {
      // A skipped offer would mean that there is no machine, and it was not looked for yet.
      if (!mayExist || !(error instanceof SkipOfferError)) throw error;
      throw new BackendError(error.message, { cause: error });
    }
  }

  async observe(handle: InstanceHandle): Promise<Observation> {
    const { instances } = this.#options.of(regionIn(handle));
    return await instances.observe(handle, { facts: null });
  }

  async release(handle: InstanceHandle, how?: HowReleased): Promise<'released' | 'releasing'> {
    return await this.#options.of(regionIn(handle)).instances.release(handle, how);
  }

  /** Rejects if a region does not answer: a part would look like the whole. */
  async list(owner: { readonly server: string }): Promise<readonly ListedInstance[]> {
    const lists = await Promise.all(
      this.#options.regions.map(async (region) =>
        (await this.#options.of(region).instances.list(owner)).map((listed) =>
          inRegion(region, listed),
        ),
      ),
    );
    return lists.flat();
  }
}

function inRegion<T extends { readonly handle: InstanceHandle }>(region: string, of: T): T {
  return { ...of, handle: { id: of.handle.id, data: inRegionData(region) } };
}
