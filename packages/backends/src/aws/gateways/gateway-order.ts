/** The order of a machine for a gateway. */
import type { Offer } from '@dstack/core';
import { NoCapacityError, QuotaError, SkipOfferError } from '../../base/errors.ts';
import type { GatewayOrder } from '../../base/gateway-port.ts';
import type { InstanceOrder } from '../../base/instance-port.ts';
import type { GatewayRegion } from './gateway-parts.ts';
import { placeTags, type VmPlace } from './gateway-place.ts';

/** That of dstack 0.22.5. */
const DEFAULT_TYPE = 't3.micro';
const DISK_MIB = 10 * 1024;
/** Types with processors of ARM, such as t4g and m7gd. */
const ARM = /^(a1|[a-z]+\d+[a-fh-z]*g[a-z]*)\./;

type Resources = Offer['instance']['resources'];

export const gatewayType = ({ instanceType }: Pick<GatewayOrder, 'instanceType'>): string =>
  instanceType ?? DEFAULT_TYPE;

/** Asks one zone after another, as long as EC2 has no capacity there; returns the id of the machine. */
export async function createGatewayVm(
  { instances, zones, sizes }: Pick<GatewayRegion, 'instances' | 'zones' | 'sizes'>,
  order: GatewayOrder,
  place: VmPlace,
): Promise<string> {
  const { region } = order;
  const name = gatewayType(order);
  const instance = gatewayInstance(name, sizes(name));
  let refusal: NoCapacityError | null = null;
  for (const zone of await zones(order.isPublic)) {
    const offer: Offer = {
      ...{ backend: 'aws', instance, region, price: 0, availability: 'unknown' },
      ...{ availability_zones: [zone], instance_runtime: 'shim', backend_data: {} },
      ...{ blocks: 1, total_blocks: 1 },
    };
    try {
      const { handle } = await instances.create(instanceOrder(order, offer, place));
      return handle.id;
    } catch (error) {
      if (!(error instanceof NoCapacityError)) throw error;
      refusal = error;
      // Quotas hold for the whole region.
      if (error instanceof QuotaError) break;
    }
  }
  throw refusal ?? new SkipOfferError(`AWS: the network of region ${region} has no subnet`);
}

function gatewayInstance(name: string, known: Offer['instance'] | null): Offer['instance'] {
  const unknown: Pick<Resources, 'cpus' | 'memory_mib' | 'gpus' | 'description' | 'cpu_arch'> = {
    ...{ cpus: 0, memory_mib: 0, gpus: [], description: '' },
    cpu_arch: ARM.test(name) ? 'arm' : 'x86',
  };
  const resources = { ...unknown, ...known?.resources };
  return { name, resources: { ...resources, spot: false, disk: { size_mib: DISK_MIB } } };
}

function instanceOrder(
  { key, replicaId, owner, authorizedKeys, tags }: GatewayOrder,
  offer: Offer,
  place: VmPlace,
): InstanceOrder {
  return {
    ...{ key, instanceId: replicaId, owner, offer, authorizedKeys },
    tags: { ...tags, ...placeTags(place) },
    ...{ reservation: null, placementGroup: null, volumes: [], group: null },
  };
}
