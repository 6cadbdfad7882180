/** The machines of gateways in one region, apart from those of fleets: they have another tag with their keys. */
import type { Offer } from '@dstack/core';
import { addressKindIn, placeTagsIn } from '../../base/rest-vm/gateways/gateway-place.ts';
import type { Vm, VmCloud, VmOrder } from '../../base/rest-vm/vm-cloud.ts';
import type { Ec2 } from '../ec2.ts';
import type { Images } from '../images.ts';
import { EC2_STATUSES, ec2VmsOf, endEc2Vm } from '../machines.ts';
import { GATEWAYS_GROUP, type Networks, subnetFor } from '../networks.ts';
import { GATEWAY_KEY_TAG, type RunParts, runForm } from '../run-form.ts';

export interface GatewayCloudOptions {
  readonly ec2: Ec2;
  /** Networks whose machines get public addresses, or none. */
  readonly networks: (isPublic: boolean) => Networks;
  readonly images: Images;
  /** Tags of the configuration, which win over those of users. */
  readonly tags: Readonly<Record<string, string>>;
  /** Sizes of a type by the catalogue; null = it is not listed. */
  readonly sizes: (type: string) => Offer['instance'] | null;
}

export class GatewayCloud implements VmCloud {
  readonly type = 'aws';
  readonly title = 'AWS';
  readonly loginUser = 'ubuntu';
  readonly statuses = EC2_STATUSES;
  readonly lateMs = 30_000;
  readonly #options: GatewayCloudOptions;

  constructor(options: GatewayCloudOptions) {
    this.#options = options;
  }

  async list(): Promise<readonly Vm[]> {
    const { ec2, sizes } = this.#options;
    return await ec2VmsOf(ec2, { keyTag: GATEWAY_KEY_TAG, sizes });
  }

  async prepare(order: VmOrder): Promise<void> {
    await this.#parts(order);
  }

  async create(order: VmOrder): Promise<string> {
    const { ec2, tags, networks, images } = this.#options;
    const kind = addressKindIn(order.tags);
    // First, and last: no number of other tags, and none with their names, may displace them.
    const place = placeTagsIn(order.tags);
    const form = runForm(order, await this.#parts(order), {
      ...{ profile: null, keyTag: GATEWAY_KEY_TAG, tags: { ...place, ...tags, ...place } },
      isPublic: kind !== 'private',
      // The elastic one is the only public address that it ever has.
      getsAddress: kind === 'public',
    });
    try {
      return (await ec2.run(form, order.signal)) ?? '';
    } catch (error) {
      // A user may have deleted what is remembered.
      networks(kind !== 'private').forget();
      images.forget();
      throw error;
    }
  }

  async end({ id }: Pick<Vm, 'id'>): Promise<void> {
    await endEc2Vm(this.#options.ec2, id);
  }

  async #parts(order: VmOrder): Promise<RunParts> {
    const { offer, owner } = order;
    const { images } = this.#options;
    const networks = this.#options.networks(addressKindIn(order.tags) !== 'private');
    const [image, network, group] = await Promise.all([
      images.of(offer.instance),
      networks.network(),
      networks.group(owner.project, owner.server, GATEWAYS_GROUP),
    ]);
    return { image, group, subnet: subnetFor(offer, network), efa: 0, reservation: null };
  }
}
