/**
 * Static addresses of gateways. Each replica has one that outlives its machine, since DNS records of users contain it.
 * Their names come from the replica, so Google itself refuses a second one. Addresses get labels only after they exist,
 * so their tags are in the description.
 */
import { BusyError, QuotaError, RefusedOrderError } from '../../base/errors.ts';
import { placeKey, placeOfKey } from '../../base/gateway-port.ts';
import type {
  AddressOrder,
  AddressPlace,
  GatewayAddresses,
  KeptAddress,
} from '../../base/rest-vm/gateways/gateway-parts.ts';
import { digest } from '../../base/rest-vm/in-region.ts';
import { KEY_TAG, ownerIn, ownerTags } from '../../base/rest-vm/names.ts';
import type { CallPace } from '../../base/rest-vm/pace.ts';
import { MissingThingError, NotNowError, refusalCode } from '../../base/rest-vm/refusals.ts';
import type { GcpAddress } from '../compute.ts';
import { type Compute, lastSegment } from '../compute.ts';
import { tagsInDescription } from '../descriptions.ts';
import { vmIdOf, vmPlaceIn } from '../instance-ids.ts';

export interface StaticAddressesOptions {
  readonly compute: Compute;
  readonly region: string;
  readonly pace: CallPace;
}

const PREFIX = 'dstack-gateway-';
/** A new address is there within a second or two. */
const LOOKS = 10;
const LOOK_MS = 1000;
/** The path of a machine at the end of its URL. */
const MACHINE = /\/zones\/([a-z0-9-]+)\/instances\/([a-z0-9-]+)$/;

export class StaticAddresses implements GatewayAddresses {
  readonly #options: StaticAddressesOptions;

  constructor(options: StaticAddressesOptions) {
    this.#options = options;
  }

  async ensure(place: AddressPlace, { owner }: AddressOrder) {
    const { compute, region, pace } = this.#options;
    const [found] = await this.of(place);
    if (found) return { ...found, isNew: false };
    const name = addressName(place);
    const isNew = await this.#inserted(name, ownerTags(owner, keyOf(place)));
    for (let look = 0; look < LOOKS; look++) {
      const [made] = await this.of(place);
      if (made) return { ...made, isNew };
      await pace.delay(LOOK_MS);
    }
    const what = `GCP: the address ${name} in ${region} of project ${compute.project}`;
    if (await this.#isForeign(place)) {
      throw new RefusedOrderError(`${what} has another owner: delete it, or give it another name`);
    }
    throw new BusyError(`${what} is not there yet`);
  }

  /** False: it is there already, made by another server or an attempt whose answer was lost. */
  async #inserted(name: string, tags: Readonly<Record<string, string>>): Promise<boolean> {
    const { compute, region } = this.#options;
    const body = { name, description: JSON.stringify(tags), addressType: 'EXTERNAL' };
    try {
      await compute.insertAddress(region, body);
      return true;
    } catch (error) {
      if (refusalCode(error) === 'alreadyExists') return false;
      if (!(error instanceof QuotaError)) throw error;
      const text = `no quota: one more static address in ${region}: ${error.message}`;
      throw new QuotaError(text, { cause: error });
    }
  }

  async of(place: AddressPlace): Promise<readonly KeptAddress[]> {
    const found = await this.#named(place);
    return found.filter(({ tags }) => ownerIn(tags).server === place.server);
  }

  /** Whether an address of another owner has its name. */
  async #isForeign(place: AddressPlace): Promise<boolean> {
    const found = await this.#named(place);
    return found.some(({ tags }) => ownerIn(tags).server !== place.server);
  }

  async #named(place: AddressPlace): Promise<readonly KeptAddress[]> {
    const { compute, region } = this.#options;
    try {
      return keptIn(await compute.address(region, addressName(place)));
    } catch (error) {
      if (error instanceof MissingThingError) return [];
      throw error;
    }
  }

  async list(server: string): Promise<readonly KeptAddress[]> {
    const { compute, region } = this.#options;
    return (await compute.addresses(region))
      .filter(({ name }) => name.startsWith(PREFIX))
      .flatMap(keptIn)
      .filter(
        ({ tags }) => ownerIn(tags).server === server && placeOfKey(tags[KEY_TAG] ?? '') !== null,
      );
  }

  async attach({ address }: KeptAddress, machine: string): Promise<void> {
    const { zone, name } = vmPlaceIn(machine);
    try {
      await this.#options.compute.addAccessConfig(zone, name, address);
    } catch (error) {
      if (!(error instanceof NotNowError)) throw error;
    }
  }

  async release(id: string): Promise<'released' | 'releasing'> {
    const { compute, region } = this.#options;
    try {
      await compute.deleteAddress(region, id);
      return 'released';
    } catch (error) {
      if (error instanceof MissingThingError) return 'released';
      if (error instanceof NotNowError) return 'releasing';
      throw error;
    }
  }
}

const keyOf = ({ gateway, replica }: AddressPlace): string => placeKey(gateway, replica);

function addressName(place: AddressPlace): string {
  return `${PREFIX}${digest(place.server, keyOf(place))}`;
}

/** None while Google still looks for one. */
function keptIn({ name, address, users = [], description }: GcpAddress): readonly KeptAddress[] {
  if (!address) return [];
  const [user] = users;
  const [, zone, machine] = MACHINE.exec(user ?? '') ?? [];
  return [
    {
      ...{ id: name, address, isUsed: user !== undefined },
      instance: zone && machine ? vmIdOf(lastSegment(zone), machine) : null,
      tags: tagsInDescription(description),
    },
  ];
}
