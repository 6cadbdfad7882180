/** A provider of machines with an HTTP API as a backend. */
import { capabilitiesOf, requirementsMatch } from '@dstack/core';
import type { Backend } from '../port.ts';
import { VmInstances } from './instances.ts';
import type { LiveOffers } from './live-offers.ts';
import type { CallPace } from './pace.ts';
import type { VmCloud } from './vm-cloud.ts';
import type { VmWay } from './vm-way.ts';

export interface RestVmOptions {
  readonly cloud: VmCloud;
  readonly offers: LiveOffers;
  readonly way: VmWay;
  readonly pace: CallPace;
}

export function restVm({ cloud, offers, way, pace }: RestVmOptions): Backend {
  return {
    name: cloud.type,
    capabilities: capabilitiesOf(cloud.type),
    // Providers report no freed capacity.
    signalsCapacity: false,
    offers: async (requirements) => {
      const refusal = cloud.refusalOf?.(requirements) ?? null;
      if (refusal !== null) return { offers: [], notes: [refusal] };
      const { offers: all, notes } = await offers.answer();
      const problem = way.problem ?? null;
      const matching = all
        .map((offer) => cloud.shaped?.(offer, requirements) ?? offer)
        .filter((offer) => requirementsMatch(requirements, offer))
        .map((offer) =>
          problem === null ? offer : { ...offer, availability: 'not_available' as const },
        );
      return {
        offers: matching.toSorted((a, b) => a.price - b.price),
        notes: problem === null ? notes : [problem, ...notes],
      };
    },
    instances: new VmInstances({ cloud, offers, way, pace }),
    ...{ volumes: cloud.volumes ?? null, groups: null },
    ...(cloud.claims && { claims: cloud.claims }),
    check: () => cloud.check(),
  };
}
