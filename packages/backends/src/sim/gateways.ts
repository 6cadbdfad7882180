import type { InstanceHandle, Offer } from '@dstack/core';
import { SkipOfferError } from '../base/errors.ts';
import type { GatewayOrder, GatewayPort } from '../base/gateway-port.ts';
import type { InstanceOrder, Observation } from '../base/instance-port.ts';
import type { SimProvider } from './provider.ts';
import type { SimMachine } from './tables.ts';

/** The type of machine that a gateway gets unless its configuration names one. */
const DEFAULT_TYPE = 'sim.small';

export interface SimGatewaysOptions {
  readonly provider: SimProvider;
  readonly offers: readonly Offer[];
  readonly observe: (machine: SimMachine | null) => Promise<Observation>;
}

/** Machines of gateways at a simulated provider: of its price list, and part of its quota. */
export function simGateways({ provider, offers, observe }: SimGatewaysOptions): GatewayPort {
  return {
    async create(order) {
      const name = order.instanceType ?? DEFAULT_TYPE;
      const offer = offers.find(
        ({ region, instance }) =>
          region === order.region && instance.name === name && !instance.resources.spot,
      );
      if (!offer) throw new SkipOfferError(`there is no ${name} in ${order.region}`);
      const { id } = await provider.create(instanceOrder(order, offer), offer, 'gateway');
      return { id, data: null };
    },
    observe: async (handle) => await observe(await provider.describe(handle)),
    release: (handle: InstanceHandle) => provider.release(handle),
    list: async (owner) => {
      const listed = await provider.list(owner, 'gateway');
      return listed.map((one) => ({ ...one, region: null }));
    },
  };
}

function instanceOrder(order: GatewayOrder, offer: Offer): InstanceOrder {
  const { key, replicaId, owner, authorizedKeys, tags } = order;
  return {
    ...{ key, instanceId: replicaId, owner, offer, authorizedKeys, tags },
    ...{ reservation: null, placementGroup: null, volumes: [], group: null },
  };
}
