/** The order of a machine for a gateway. */
import type { Offer } from '@dstack/core';
import { NoCapacityError, QuotaError, SkipOfferError } from '../../errors.ts';
import type { GatewayOrder } from '../../gateway-port.ts';
import type { InstanceOrder } from '../../instance-port.ts';
import type { GatewayRegion, GatewayVmKind } from './gateway-parts.ts';
import { placeTags, type VmPlace } from './gateway-place.ts';

/** That of dstack 0.22.5. */
const DISK_MIB = 10 * 1024;

type CreatingRegion = Pick<GatewayRegion, 'kind' | 'instances' | 'zones' | 'sizes'>;
type Resources = Offer['instance']['resources'];

export const gatewayType = (
  { defaultType }: Pick<GatewayVmKind, 'defaultType'>,
  { instanceType }: Pick<GatewayOrder, 'instanceType'>,
): string => instanceType ?? defaultType;

/** Asks one zone after another, as long as there is no capacity; returns the id of the machine. */
export async function createGatewayVm(
  { kind, instances, zones, sizes }: CreatingRegion,
  order: GatewayOrder,
  place: VmPlace,
): Promise<string> {
  const { backend, title } = kind;
  const { region } = order;
  const name = gatewayType(kind, order);
  const instance = gatewayInstance(name, sizes(name), kind);
  let refusal: NoCapacityError | null = null;
  for (const zone of await zones(order.isPublic)) {
    const offer: Offer = {
      ...{ backend, instance, region, price: 0, availability: 'unknown' },
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
  throw refusal ?? new SkipOfferError(`${title}: the network of region ${region} has no subnet`);
}

function gatewayInstance(
  name: string,
  known: Offer['instance'] | null,
  { isArm }: GatewayVmKind,
): Offer['instance'] {
  const unknown: Pick<Resources, 'cpus' | 'memory_mib' | 'gpus' | 'description' | 'cpu_arch'> = {
    ...{ cpus: 0, memory_mib: 0, gpus: [], description: '' },
    cpu_arch: isArm(name) ? 'arm' : 'x86',
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
