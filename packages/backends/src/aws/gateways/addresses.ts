/**
 * Elastic addresses of gateways. Each replica has one that outlives its machine, since DNS records of users contain
 * it. EC2 knows no tokens for them, so an address is looked for by its tags before another one is allocated.
 */
import { QuotaError } from '../../base/errors.ts';
import { type GatewayOrder, placeKey } from '../../base/gateway-port.ts';
import { OWNER_TAGS } from '../../base/owner-tags.ts';
import { KEY_TAG, ownerIn } from '../../base/rest-vm/names.ts';
import { MissingThingError, NotNowError } from '../../base/rest-vm/refusals.ts';
import { type Ec2, type Ec2Filters, tagsOf } from '../ec2.ts';
import { resourceTags } from '../resources.ts';
import { tagSpecification } from '../tags.ts';
import type { XmlNode } from '../xml.ts';
import type { MachinePlace } from './gateway-place.ts';

export interface ElasticAddress {
  /** Such as `eipalloc-0123456789abcdef0`. */
  readonly id: string;
  readonly address: string;
  /** Id of the machine that has it now; null = none. */
  readonly machine: string | null;
  readonly tags: Readonly<Record<string, string>>;
}

type AddressPlace = Pick<MachinePlace, 'gateway' | 'replica' | 'server'>;
type AddressOrder = Pick<GatewayOrder, 'owner' | 'tags'>;

export class Addresses {
  readonly #ec2: Ec2;
  /** Tags of the configuration. */
  readonly #tags: Readonly<Record<string, string>>;
  /** Allocations under way, by keys: two calls for one replica must not make two. */
  readonly #making = new Map<string, Promise<ElasticAddress>>();

  constructor(ec2: Ec2, tags: Readonly<Record<string, string>>) {
    this.#ec2 = ec2;
    this.#tags = tags;
  }

  /** Allocated, or found. `isNew`: this call has allocated it. Throws `QuotaError`. */
  async ensure(
    place: AddressPlace,
    order: AddressOrder,
  ): Promise<ElasticAddress & { readonly isNew: boolean }> {
    const [found] = await this.of(place);
    if (found) return { ...found, isNew: false };
    const key = placeKey(place.gateway, place.replica);
    const making = this.#making.get(key) ?? this.#allocate(key, order);
    this.#making.set(key, making);
    try {
      return { ...(await making), isNew: true };
    } finally {
      this.#making.delete(key);
    }
  }

  async #allocate(key: string, { owner, tags: users }: AddressOrder): Promise<ElasticAddress> {
    const tags = resourceTags(owner, key, { Name: owner.instance, ...this.#tags }, users);
    try {
      const answer = await this.#ec2.change('AllocateAddress', {
        Domain: 'vpc',
        TagSpecification: [tagSpecification('elastic-ip', tags)],
      });
      const id = answer.text('allocationId') ?? '';
      return { id, address: answer.text('publicIp') ?? '', machine: null, tags };
    } catch (error) {
      if (!(error instanceof QuotaError)) throw error;
      const text = `no quota: one more elastic address in ${this.#ec2.region}: ${error.message}`;
      throw new QuotaError(text, { cause: error });
    }
  }

  /** Those of a replica: several if an answer was lost. The one that a machine has comes first. */
  async of({ gateway, replica, server }: AddressPlace): Promise<readonly ElasticAddress[]> {
    const found = await this.#described({
      [`tag:${KEY_TAG}`]: [placeKey(gateway, replica)],
      [`tag:${OWNER_TAGS.server}`]: [server],
    });
    const rank = ({ machine, id }: ElasticAddress) => `${machine === null ? 1 : 0} ${id}`;
    return found.toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1));
  }

  /** All of a server. */
  async list(server: string): Promise<readonly ElasticAddress[]> {
    const found = await this.#described({ [`tag:${OWNER_TAGS.server}`]: [server] });
    return found.filter(({ tags }) => ownerIn(tags).server === server);
  }

  /** Gives it to a machine, which may not run yet: then the next call does. */
  async attach({ id }: ElasticAddress, machine: string): Promise<void> {
    try {
      await this.#ec2.change('AssociateAddress', {
        ...{ AllocationId: id, InstanceId: machine, AllowReassociation: true },
      });
    } catch (error) {
      if (!(error instanceof NotNowError)) throw error;
    }
  }

  /** `releasing`: a machine has it still. */
  async release(id: string): Promise<'released' | 'releasing'> {
    try {
      await this.#ec2.change('ReleaseAddress', { AllocationId: id });
      return 'released';
    } catch (error) {
      if (error instanceof MissingThingError) return 'released';
      if (error instanceof NotNowError) return 'releasing';
      throw error;
    }
  }

  async #described(filters: Ec2Filters): Promise<readonly ElasticAddress[]> {
    const pages = await this.#ec2.pages('DescribeAddresses', {}, filters);
    return pages.flatMap((page) => page.items('addressesSet').flatMap(addressOf));
  }
}

function addressOf(item: XmlNode): readonly ElasticAddress[] {
  const [id, address] = [item.text('allocationId'), item.text('publicIp')];
  if (id === null || address === null) return [];
  return [{ id, address, machine: item.text('instanceId'), tags: tagsOf(item) }];
}
