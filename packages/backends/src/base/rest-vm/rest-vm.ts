/** A provider of machines with an HTTP API as a backend. */
import { capabilitiesOf, requirementsMatch } from '@dstack/core';
import type { Backend } from '../port.ts';
import { VmInstances } from './instances.ts';
import type { LiveOffers } from './live-offers.ts';
import type { CallPace } from './pace.ts';
import type { VmCloud } from './vm-cloud.ts';

export interface RestVmOptions {
  readonly cloud: VmCloud;
  readonly offers: LiveOffers;
  readonly secret: string;
  readonly pace: CallPace;
}

export function restVm({ cloud, offers, secret, pace }: RestVmOptions): Backend {
  return {
    name: cloud.type,
    capabilities: capabilitiesOf(cloud.type),
    // Providers report no freed capacity.
    signalsCapacity: false,
    offers: async (requirements) => {
      const { offers: all, notes } = await offers.answer();
      const matching = all.filter((offer) => requirementsMatch(requirements, offer));
      return { offers: matching.toSorted((a, b) => a.price - b.price), notes };
    },
    instances: new VmInstances({ cloud, offers, secret, pace }),
    ...{ volumes: null, groups: null },
    ...(cloud.claims && { claims: cloud.claims }),
    check: () => cloud.check(),
  };
}
