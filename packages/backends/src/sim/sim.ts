import type { Requirements } from '@dstack/contract/wire';
import { type BackendName, capabilitiesOf, type Offer } from '@dstack/core';
import { SkipOfferError } from '../base/errors.ts';
import type { Backend, Observation } from '../base/port.ts';
import { orderedMachine } from '../base/provisioning-data.ts';
import type { SimMachine, SimProvider } from './provider.ts';

export interface SimOptions {
  /** The type as which it is shown, with that type's capabilities. */
  readonly as: BackendName;
  readonly provider: SimProvider;
  /** Price list; availability follows from the provider's quota. */
  readonly offers: readonly Offer[];
  readonly matches: (requirements: Requirements, offer: Offer) => boolean;
}

/** A backend for tests and benchmarks, whose provider is a `SimProvider`. */
export function simBackend({ as, provider, offers, matches }: SimOptions): Backend {
  return {
    name: as,
    capabilities: capabilitiesOf(as),
    signalsCapacity: false,
    offers: async (requirements) => ({
      offers: offers
        .map(
          (offer): Offer => ({
            ...offer,
            backend: as,
            availability: provider.isFull ? 'no_quota' : 'available',
          }),
        )
        .filter((offer) => matches(requirements, offer)),
      notes: [],
    }),
    instances: {
      create: async (order) => {
        const { offer } = order;
        if (offer === null) throw new SkipOfferError('no offer was chosen');
        const machine = await provider.create(order, offer);
        return {
          handle: { id: machine.id, data: null },
          hostId: order.instanceId,
          provisioningData: null,
        };
      },
      observe: async (handle) => observationOf(provider, await provider.describe(handle)),
      release: (handle) => provider.release(handle),
      list: (owner) => provider.list(owner),
      leaseEnding: 'exit',
    },
    volumes: null,
    groups: null,
    claims: provider.claims,
    check: async () => [{ name: 'sim:everything', ok: true, problem: null }],
  };
}

async function observationOf(
  provider: SimProvider,
  machine: SimMachine | null,
): Promise<Observation> {
  if (machine === null) return { state: 'missing' };
  if (machine.interruption !== null) {
    return { state: 'interrupted', reason: 'spot', text: machine.interruption };
  }
  if (machine.failure !== null) {
    return { state: 'interrupted', reason: 'failed', text: machine.failure };
  }
  const address = await provider.address(machine);
  if (address === null) return { state: 'pending', text: 'booting' };
  const { hostname, internalIp: internal_ip, access } = address;
  const provisioningData = orderedMachine(machine.offer, machine.id, { hostname, internal_ip });
  return { state: 'ready', machine: { offer: null, provisioningData, totalBlocks: null }, access };
}
