/** One region of an account of AWS as a provider of machines. */
import type { Offer } from '@dstack/core';
import {
  BusyError,
  NoCapacityError,
  QuotaError,
  RefusedOrderError,
  SkipOfferError,
} from '../base/errors.ts';
import { KEY_TAG } from '../base/rest-vm/names.ts';
import type { Vm, VmCloud, VmOrder } from '../base/rest-vm/vm-cloud.ts';
import type { Ec2 } from './ec2.ts';
import type { Images } from './images.ts';
import { EC2_STATUSES, ec2VmsOf, endEc2Vm } from './machines.ts';
import { type Networks, subnetFor } from './networks.ts';
import { fitsPlacementGroup } from './placement-groups.ts';
import { bucketOf } from './quotas.ts';
import { isDenied } from './refusals.ts';
import { type RunParts, runForm } from './run-form.ts';

export interface AwsRegionOptions {
  readonly ec2: Ec2;
  readonly networks: Networks;
  readonly images: Images;
  /** Whether machines get public addresses. */
  readonly isPublic: boolean;
  /** Name of the IAM instance profile of machines; null = none. */
  readonly profile: string | null;
  /** Tags of the configuration, which win over those of users. */
  readonly tags: Readonly<Record<string, string>>;
  /** Sizes of a type by the catalogue; null = it is not listed. */
  readonly sizes: (type: string) => Offer['instance'] | null;
}

const LONGEST_USER_DATA = 16_384;

/** Machines are ordered so that a shutdown from inside terminates them; spot machines end by it anyway. */
export const LEASE_ENDING = 'poweroff';

export class AwsRegion implements VmCloud {
  readonly type = 'aws';
  readonly title = 'AWS';
  readonly loginUser = 'ubuntu';
  readonly statuses = EC2_STATUSES;
  readonly lateMs = 30_000;
  readonly hasVolumes = true;
  readonly hasReservations = true;
  readonly leaseEnding = LEASE_ENDING;
  readonly #options: AwsRegionOptions;
  /** Interfaces of EFA by types. */
  readonly #efa = new Map<string, number>();

  constructor(options: AwsRegionOptions) {
    this.#options = options;
  }

  async list(): Promise<readonly Vm[]> {
    return await ec2VmsOf(this.#options.ec2, { keyTag: KEY_TAG, sizes: this.#options.sizes });
  }

  /** Looks for network and image, so that the order itself is one call. */
  async prepare(order: VmOrder): Promise<void> {
    if (Buffer.byteLength(order.userData) > LONGEST_USER_DATA) {
      throw new RefusedOrderError('AWS: too many keys may log in: user data is over 16 kB');
    }
    const { name } = order.offer.instance;
    if (order.placementGroup && !fitsPlacementGroup(name)) {
      throw new SkipOfferError(`AWS puts no ${name} into a placement group`);
    }
    await this.#parts(order);
  }

  async create(order: VmOrder): Promise<string> {
    const { ec2, networks, images } = this.#options;
    const parameters = runForm(order, await this.#parts(order), this.#options);
    try {
      return (await ec2.run(parameters, order.signal)) ?? '';
    } catch (error) {
      // A user may have deleted what is remembered.
      if (!isAboutOffer(error)) {
        networks.forget();
        images.forget();
      }
      throw error instanceof QuotaError ? quotaError(error, order.offer) : error;
    }
  }

  async end({ id }: Pick<Vm, 'id'>): Promise<void> {
    await endEc2Vm(this.#options.ec2, id);
  }

  async #parts(order: VmOrder): Promise<RunParts> {
    const { offer, owner, placementGroup, reservation: reserved = null } = order;
    const { networks, images, ec2 } = this.#options;
    const [image, network, group, efa, reservation] = await Promise.all([
      images.of(offer.instance),
      networks.network(),
      networks.group(owner.project, owner.server),
      placementGroup ? this.#efaOf(offer.instance.name) : 0,
      reserved === null ? null : ec2.reservation(reserved),
    ]);
    if (reserved !== null && reservation === null) {
      throw new SkipOfferError(`reservation ${reserved} is not active`);
    }
    return { image, group, subnet: subnetFor(offer, network), efa, reservation };
  }

  /** It does not change while a server runs. */
  async #efaOf(type: string): Promise<number> {
    const known = this.#efa.get(type);
    if (known !== undefined) return known;
    try {
      const count = await this.#options.ec2.efaInterfaces(type);
      this.#efa.set(type, count);
      return count;
    } catch (error) {
      // A policy of an earlier version: clusters work without EFA, and `check` names the missing right.
      if (isDenied(error)) return 0;
      throw error;
    }
  }
}

function quotaError(error: QuotaError, { instance, region }: Offer): QuotaError {
  const { title } = bucketOf(instance.name, instance.resources.spot);
  return new QuotaError(
    `no quota: ${instance.resources.cpus} vCPU of ${title} in ${region}: ${error.message}`,
    { cause: error },
  );
}

/** Otherwise it may be about network or image. */
function isAboutOffer(error: unknown): boolean {
  return error instanceof NoCapacityError || error instanceof BusyError;
}
