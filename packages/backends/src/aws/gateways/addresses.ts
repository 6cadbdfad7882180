/**
 * Elastic addresses of gateways. Each replica has one that outlives its machine, since DNS records of users contain
 * it. EC2 knows no tokens for them, so an address is looked for by its tags before another one is allocated.
 */
import { NoAnswerError, QuotaError } from '../../base/errors.ts';
import { placeKey, placeOfKey } from '../../base/gateway-port.ts';
import { OWNER_TAGS } from '../../base/owner-tags.ts';
import type {
  AddressOrder,
  AddressPlace,
  GatewayAddresses,
  KeptAddress,
} from '../../base/rest-vm/gateways/gateway-parts.ts';
import { KEY_TAG, ownerIn } from '../../base/rest-vm/names.ts';
import { MissingThingError, NotNowError } from '../../base/rest-vm/refusals.ts';
import { type Ec2, type Ec2Filters, tagsOf } from '../ec2.ts';
import { resourceTags } from '../resources.ts';
import { tagSpecification } from '../tags.ts';
import type { XmlNode } from '../xml.ts';

export interface AddressesOptions {
  readonly ec2: Ec2;
  /** Tags of the configuration. */
  readonly tags: Readonly<Record<string, string>>;
  /** Milliseconds that no step of the clock moves. */
  readonly now: () => number;
}

interface Made {
  readonly address: Promise<KeptAddress>;
  /** Null: it is being allocated. */
  id: string | null;
  /** Until when lists may not contain it yet. */
  until: number;
}

/** An address may be missing in lists for this time after it was allocated. */
const LATE_MS = 30_000;

export class Addresses implements GatewayAddresses {
  readonly #options: AddressesOptions;
  /** Allocations under way, and those of the last seconds, by keys: two calls for one replica must not make two. */
  readonly #made = new Map<string, Made>();

  constructor(options: AddressesOptions) {
    this.#options = options;
  }

  /** Allocated, or found. `isNew`: this call has allocated it. Throws `QuotaError`. */
  async ensure(
    place: AddressPlace,
    order: AddressOrder,
  ): Promise<KeptAddress & { readonly isNew: boolean }> {
    const [found] = await this.of(place);
    if (found) return { ...found, isNew: false };
    const key = placeKey(place.gateway, place.replica);
    const known = this.#made.get(key);
    if (known && this.#options.now() < known.until)
      return { ...(await known.address), isNew: false };
    const made: Made = {
      address: this.#allocate(key, order),
      ...{ id: null, until: Number.POSITIVE_INFINITY },
    };
    this.#made.set(key, made);
    try {
      const address = await made.address;
      made.id = address.id;
      made.until = this.#options.now() + LATE_MS;
      return { ...address, isNew: true };
    } catch (error) {
      if (this.#made.get(key) === made) this.#made.delete(key);
      throw error;
    }
  }

  async #allocate(key: string, { owner, tags: users }: AddressOrder): Promise<KeptAddress> {
    const { ec2 } = this.#options;
    const tags = resourceTags(owner, key, { Name: owner.instance, ...this.#options.tags }, users);
    try {
      const answer = await ec2.change('AllocateAddress', {
        Domain: 'vpc',
        TagSpecification: [tagSpecification('elastic-ip', tags)],
      });
      const [id, address] = [answer.text('allocationId'), answer.text('publicIp')];
      if (id !== null && address !== null)
        return { id, address, tags, instance: null, isUsed: false };
      throw new NoAnswerError('AWS: an address that was allocated without an identifier');
    } catch (error) {
      if (!(error instanceof QuotaError)) throw error;
      const text = `no quota: one more elastic address in ${ec2.region}: ${error.message}`;
      throw new QuotaError(text, { cause: error });
    }
  }

  /** Those of a replica: several if an answer was lost. The one that a machine has comes first. */
  async of({ gateway, replica, server }: AddressPlace): Promise<readonly KeptAddress[]> {
    const found = await this.#described({
      [`tag:${KEY_TAG}`]: [placeKey(gateway, replica)],
      [`tag:${OWNER_TAGS.server}`]: [server],
    });
    const rank = ({ isUsed, id }: KeptAddress) => `${isUsed ? 0 : 1} ${id}`;
    return found.toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1));
  }

  /** All that a server has allocated for gateways. */
  async list(server: string): Promise<readonly KeptAddress[]> {
    const found = await this.#described({ [`tag:${OWNER_TAGS.server}`]: [server] });
    return found.filter(
      ({ tags }) => ownerIn(tags).server === server && placeOfKey(tags[KEY_TAG] ?? '') !== null,
    );
  }

  /** Gives it to a machine, which may not run yet: then the next call does. */
  async attach({ id }: KeptAddress, machine: string): Promise<void> {
    try {
      await this.#options.ec2.change('AssociateAddress', {
        ...{ AllocationId: id, InstanceId: machine, AllowReassociation: true },
      });
    } catch (error) {
      if (!(error instanceof NotNowError)) throw error;
    }
  }

  /** `releasing`: a machine has it still. */
  async release(id: string): Promise<'released' | 'releasing'> {
    for (const [key, made] of this.#made) if (made.id === id) this.#made.delete(key);
    try {
      await this.#options.ec2.change('ReleaseAddress', { AllocationId: id });
      return 'released';
    } catch (error) {
      if (error instanceof MissingThingError) return 'released';
      if (error instanceof NotNowError) return 'releasing';
      throw error;
    }
  }

  async #described(filters: Ec2Filters): Promise<readonly KeptAddress[]> {
    const pages = await this.#options.ec2.pages('DescribeAddresses', {}, filters);
    return pages.flatMap((page) => page.items('addressesSet').flatMap(addressOf));
  }
}

function addressOf(item: XmlNode): readonly KeptAddress[] {
  const [id, address] = [item.text('allocationId'), item.text('publicIp')];
  if (id === null || address === null) return [];
  const instance = item.text('instanceId');
  const isUsed = instance !== null || item.text('associationId') !== null;
  return [{ id, address, instance, isUsed, tags: tagsOf(item) }];
}
