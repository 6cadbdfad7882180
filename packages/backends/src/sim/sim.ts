import type { NoticeWatch } from '@dstack/contract/agent';
import type { Requirements } from '@dstack/contract/wire';
import { type BackendName, capabilitiesOf, type Offer } from '@dstack/core';
import { SkipOfferError } from '../base/errors.ts';
import type { Observation } from '../base/instance-port.ts';
import type { Backend } from '../base/port.ts';
import { orderedProvisioningData } from '../base/provisioning-data.ts';
import { EC2_SPOT_NOTICE } from '../base/spot-notices.ts';
import { simGateways } from './gateways.ts';
import type { SimProvider } from './provider.ts';
import type { SimMachine } from './tables.ts';

export interface SimOptions {
  /** The type that it is shown as, with that type's capabilities. */
  readonly as: BackendName;
  readonly provider: SimProvider;
  /** Price list; availability follows from the provider's quota. */
  readonly offers: readonly Offer[];
  readonly matches: (requirements: Requirements, offer: Offer) => boolean;
  /** Whether the backend reports changes, so that the server need not ask. */
  readonly watch?: boolean;
  /**
   * The machines have no sshd: clients reach the SSH server of a job only through the server's entry.
   */
  readonly hasNoSshd?: boolean;
  /** Where its machines find that they are taken back, in the form of EC2. */
  readonly noticeUrl?: string | null;
}

/** A backend for tests and benchmarks, whose provider is a `SimProvider`. */
export function simBackend(options: SimOptions): Backend {
  const { as, provider, offers, matches, watch = false, noticeUrl = null } = options;
  return {
    name: as,
    capabilities: capabilitiesOf(as),
    signalsCapacity: false,
    offers: async (requirements) => {
      const availability = provider.isFull ? 'no_quota' : 'available';
      const suitable = offers
        .map((offer): Offer => ({ ...offer, backend: as, availability }))
        .filter((offer) => matches(requirements, offer))
        .sort((a, b) => a.price - b.price);
      return { offers: suitable, notes: [] };
    },
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
      observe: async (handle) => await observationOf(options, await provider.describe(handle)),
      ...(watch ? { watch: (onChange) => provider.watch(onChange) } : {}),
      release: (handle) => provider.release(handle),
      list: (owner) => provider.list(owner),
      leaseEnding: 'exit',
      ...(noticeUrl !== null && { notices: noticesAt(noticeUrl) }),
    },
    volumes: provider.volumes,
    groups: provider.groups,
    gateways: simGateways({
      ...{ provider, offers },
      observe: (machine) => observationOf(options, machine),
    }),
    claims: provider.claims,
    check: async () => [{ name: 'sim:everything', ok: true, problem: null }],
  };
}

const noticesAt = (url: string): NoticeWatch => ({
  sources: [{ ...EC2_SPOT_NOTICE, url, token: null, interval_secs: 1 }],
});

async function observationOf(
  { provider, hasNoSshd = false }: SimOptions,
  machine: SimMachine | null,
): Promise<Observation> {
  if (machine === null) return { state: 'missing' };
  const interruption = provider.interruptionOf(machine);
  if (interruption !== null) return { state: 'interrupted', reason: 'spot', text: interruption };
  if (machine.failure !== null) {
    return { state: 'interrupted', reason: 'failed', text: machine.failure };
  }
  const address = await provider.address(machine);
  if (address === null) return { state: 'pending', text: 'booting' };
  const { hostname, internalIp: internal_ip, access } = address;
  const direct = hasNoSshd ? { dockerized: false, entry_only: true } : {};
  const known = { hostname, internal_ip, ...direct };
  const provisioningData = orderedProvisioningData(machine.offer, machine.id, known);
  return { state: 'ready', machine: { offer: null, provisioningData, totalBlocks: null }, access };
}
