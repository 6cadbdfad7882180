/**
 * Gateways on machines of a provider. Each replica is a machine; one with a public address of its own keeps it when its
 * machine is replaced. With a load balancer clients reach that instead.
 */
import type { InstanceHandle } from '@dstack/core';
import { BusyError, NoAnswerError, RefusedOrderError, SkipOfferError } from '../../errors.ts';
import {
  type GatewayCondition,
  type GatewayOrder,
  type GatewayPort,
  type HowGatewayReleased,
  type ListedGateway,
  placeOfKey,
} from '../../gateway-port.ts';
import type { Observation } from '../../instance-port.ts';
import { KEY_TAG, ownerIn } from '../names.ts';
import { createGatewayVm, gatewayType } from './gateway-order.ts';
import type { GatewayRegion } from './gateway-parts.ts';
import {
  gatewayPlaceIn,
  handleOf,
  placeOfTags,
  type VmGatewayPlace,
  type VmPlace,
  vmPlaceIn,
} from './gateway-place.ts';

export interface VmGatewaysOptions {
  /** Name of the provider for people. */
  readonly title: string;
  readonly hasBalancers: boolean;
  /** The regions of the configuration. */
  readonly regions: readonly string[];
  /** Returns the parts of any region. */
  readonly of: (region: string) => GatewayRegion;
}

type Ordered = Omit<GatewayOrder, 'key'>;

const PORTS = { http: 80, https: 443 };

export function vmGateways({ title, hasBalancers, regions, of }: VmGatewaysOptions): GatewayPort {
  return {
    hasBalancers,
    ports: () => PORTS,
    create: async (order) => {
      if (!regions.includes(order.region)) {
        throw new SkipOfferError(
          `${title}: region ${order.region} is none of the backend's: ${regions.join(', ')}`,
        );
      }
      return await createGateway(of(order.region), order);
    },
    observe: async (handle) => {
      const place = vmPlaceIn(handle);
      return await observeGateway(of(place.region), handle, place);
    },
    maintain: async (handle, order) => {
      const place = vmPlaceIn(handle);
      return await maintainGateway(of(place.region), handle, { place, order });
    },
    release: async (handle, how) =>
      await releaseGateway(of(gatewayPlaceIn(handle).region), handle, how),
    list: async ({ server }) => {
      const lists = regions.map(async (region) => await listGateways(of(region), server));
      return (await Promise.all(lists)).flat();
    },
  };
}

async function createGateway(region: GatewayRegion, order: GatewayOrder): Promise<InstanceHandle> {
  const { addresses, kind } = region;
  const place = vmPlaceOf(order);
  const balancers = place.isBalanced ? region.balancers : null;
  if (place.isBalanced && balancers === null) {
    throw new RefusedOrderError(
      `${kind.title}: this server makes no load balancers there: leave \`load_balancer\` out`,
    );
  }
  // First what has quotas and names of its own: a refusal then costs no machine.
  const address = place.address === 'elastic' ? await addresses.ensure(place, order) : null;
  const { server, gateway } = place;
  const isBalancerNew = (await balancers?.find(server, gateway)) === null;
  try {
    await balancers?.ensure(order);
    return handleOf(await createGatewayVm(region, order, place), place);
  } catch (error) {
    // Whether there is a machine is unknown, and there will be another attempt.
    if (error instanceof NoAnswerError || error instanceof BusyError) throw error;
    if (address?.isNew) await addresses.release(address.id).catch(() => {});
    if (isBalancerNew) await balancers?.release(server, gateway).catch(() => {});
    throw error;
  }
}

function vmPlaceOf(order: Ordered): VmPlace {
  const { region, owner, gateway, replicaNum, isPublic, balancer } = order;
  return {
    ...{ kind: 'machine', region, server: owner.server, gateway: gateway.id, replica: replicaNum },
    address: isPublic ? (balancer === null ? 'elastic' : 'public') : 'private',
    isBalanced: balancer !== null,
  };
}

async function observeGateway(
  region: GatewayRegion,
  { id }: InstanceHandle,
  place: VmPlace,
): Promise<Observation> {
  const { instances, balancers } = region;
  const look = () => instances.observe({ id, data: null }, { facts: null });
  const first = await look();
  const isPending = first.state === 'pending' && place.address === 'elastic';
  const seen = isPending && (await attachAddress(region, id, place)) ? await look() : first;
  if (seen.state !== 'ready' || !place.isBalanced || seen.machine === null) return seen;
  if (balancers === null) return seen;
  const balancer = await balancers.find(place.server, place.gateway);
  if (balancer === null) return { state: 'pending', text: 'its load balancer is being made' };
  const { machine } = seen;
  const provisioningData = { ...machine.provisioningData, hostname: balancer.hostname };
  return { ...seen, machine: { ...machine, provisioningData } };
}

/** Whether the machine, which runs and had none, has been given the address of its replica. */
async function attachAddress(
  { vms, addresses, kind }: GatewayRegion,
  id: string,
  place: VmPlace,
): Promise<boolean> {
  const vm = (await vms.shared()).find((one) => one.id === id);
  if (vm?.status !== kind.running || vm.address !== null) return false;
  const [address] = await addresses.of(place);
  if (!address) return false;
  if (address.instance !== id) await addresses.attach(address, id);
  vms.changed();
  return true;
}

const UNCHANGED: GatewayCondition = { outdated: null, unreachable: null };

async function maintainGateway(
  { instances, addresses, balancers, kind, vms }: GatewayRegion,
  { id }: InstanceHandle,
  { place, order }: { readonly place: VmPlace; readonly order: Ordered },
): Promise<GatewayCondition> {
  const seen = await instances.observe({ id, data: null }, { facts: null });
  // A replica that is ending would make again what is being released.
  if (seen.state === 'interrupted' || seen.state === 'missing') return UNCHANGED;
  if (place.address === 'elastic') {
    const [found, ...others] = await addresses.of(place);
    const address = found ?? (await addresses.ensure(place, order));
    // One that another machine has is left there: that machine may have taken the place of this one.
    if (seen.state === 'ready' && !address.isUsed) {
      await addresses.attach(address, id);
      vms.changed();
    }
    // A lost answer may have left more than one; each costs money.
    const unused = address.instance === id ? others.filter(({ isUsed }) => !isUsed) : [];
    for (const one of unused) await addresses.release(one.id);
  }
  const outdated = outdatedText(seen, gatewayType(kind, order));
  const isBalanced = place.isBalanced && order.balancer !== null;
  if (!isBalanced || balancers === null || seen.state !== 'ready') {
    return { outdated, unreachable: null };
  }
  const balancer = await balancers.ensure(order);
  const health = await balancers.health(balancer, id);
  if (health === null) await balancers.register(balancer, id);
  if (!balancer.isActive) return { outdated, unreachable: 'its load balancer is being made' };
  if (health === 'healthy') return { outdated, unreachable: null };
  const seenAs = health ?? 'not registered';
  return { outdated, unreachable: `the load balancer does not reach it yet: ${seenAs}` };
}

function outdatedText(seen: Observation, wanted: string): string | null {
  const { name } = (seen.state === 'ready' && seen.machine?.provisioningData.instance_type) || {};
  return name === undefined || name === wanted ? null : `The gateway is on ${wanted} now`;
}

async function releaseGateway(
  { instances, addresses, balancers }: GatewayRegion,
  handle: InstanceHandle,
  { ends }: HowGatewayReleased,
): Promise<'released' | 'releasing'> {
  const place = gatewayPlaceIn(handle);
  if (place.kind !== 'machine') {
    const { id } = handle;
    if (place.kind === 'address') return await addresses.release(id);
    return (await balancers?.releaseById(id)) ?? 'released';
  }
  const { server, gateway, isBalanced } = place;
  if (isBalanced) await balancers?.deregister(server, gateway, handle.id);
  if ((await instances.release({ id: handle.id, data: null })) === 'releasing') return 'releasing';
  if (ends === 'machine') return 'released';
  const kept = await addresses.of(place);
  // One that a user has given to something else is not taken away from it; the sweep lists it.
  const ours = kept.filter(({ instance, isUsed }) => !isUsed || instance === handle.id);
  const released = await Promise.all(ours.map(({ id }) => addresses.release(id)));
  if (ends === 'gateway' && isBalanced && balancers) {
    released.push(await balancers.release(server, gateway));
  }
  return released.includes('releasing') ? 'releasing' : 'released';
}

/** What ends with a machine is listed apart only if there is none. */
async function listGateways(
  { region, vms, addresses, balancers, kind: { isDenied } }: GatewayRegion,
  server: string,
): Promise<readonly ListedGateway[]> {
  const [all, kept, balanced] = await Promise.all([
    vms.fresh(),
    unlessDenied(isDenied, addresses.list(server)),
    balancers ? unlessDenied(isDenied, balancers.list(server)) : [],
  ]);
  const machines = all
    .filter(({ tags, isOver }) => ownerIn(tags).server === server && !isOver)
    .map(({ id, tags }) => ({ id, tags, place: placeOfTags(tags, { region, server }) }));
  const isWithout = ({ tags }: { readonly tags: Readonly<Record<string, string>> }) => {
    const of = placeOfKey(tags[KEY_TAG] ?? '');
    return !machines.some(
      ({ place }) =>
        place.gateway === of?.gatewayId && (of.number === null || place.replica === of.number),
    );
  };
  return [
    ...machines.map(({ id, tags, place }) => listed(id, place, tags)),
    ...kept.filter(isWithout).map(({ id, tags }) => listed(id, { kind: 'address', region }, tags)),
    ...balanced
      .filter(isWithout)
      .map(({ id, tags }) => listed(id, { kind: 'balancer', region }, tags)),
  ];
}

/** A key that may not look for them has made none: its machines are swept all the same. */
async function unlessDenied<T>(
  isDenied: (error: unknown) => boolean,
  list: Promise<readonly T[]>,
): Promise<readonly T[]> {
  try {
    return await list;
  } catch (error) {
    if (isDenied(error)) return [];
    throw error;
  }
}

function listed(
  id: string,
  place: VmGatewayPlace,
  tags: Readonly<Record<string, string>>,
): ListedGateway {
  const { region } = place;
  return { handle: handleOf(id, place), owner: ownerIn(tags), region, key: tags[KEY_TAG] ?? null };
}
