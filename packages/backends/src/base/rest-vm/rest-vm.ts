/** A provider of machines with an HTTP API as a backend. */
import { capabilitiesOf, requirementsMatch } from '@dstack/core';
import type { Backend } from '../port.ts';
import { AccountVms } from './account-vms.ts';
import { VmInstances } from './instances.ts';
import type { LiveOffers } from './live-offers.ts';
import type { CallPace } from './pace.ts';
import type { WholeCloud } from './vm-cloud.ts';
import type { VmWay } from './vm-way.ts';
import { withoutServer } from './without-server.ts';

export interface RestVmOptions {
  readonly cloud: WholeCloud;
  readonly offers: LiveOffers;
  readonly way: VmWay;
  readonly pace: CallPace;
  /** The same as in `BackendHost`. */
  readonly leaseSeconds: number | null;
  /** Omitted: no other backend has the same credentials. */
  readonly account?: AccountVms;
}

export function restVm(options: RestVmOptions): Backend {
  const { cloud, offers, way, pace, leaseSeconds } = options;
  const account = options.account ?? new AccountVms(pace);
  return {
    name: cloud.type,
    capabilities: capabilitiesOf(cloud.type),
    // Providers report no freed capacity.
    signalsCapacity: false,
    offers: async (requirements) => {
      const refusal = cloud.refusalOf?.(requirements) ?? null;
      if (refusal !== null) return { offers: [], notes: [refusal] };
      const answer = await offers.answer();
      const { offers: all } = answer;
      const notes = [...answer.notes, ...(cloud.notes ?? [])];
      const problem = way.problem ?? null;
      const matching = all
        .map((offer) => (cloud.shaped ? cloud.shaped(offer, requirements) : offer))
        .filter((offer) => offer !== null)
        .filter((offer) => requirementsMatch(requirements, offer))
        .map((offer) =>
          problem === null ? offer : { ...offer, availability: 'not_available' as const },
        );
      const kept = matching.length === 0 ? [] : [withoutServer(cloud, leaseSeconds)];
      const ranked = cloud.ranked?.(matching, requirements) ?? null;
      return {
        offers: ranked ?? matching.toSorted((a, b) => a.price - b.price),
        isRanked: ranked !== null,
        notes: problem === null ? [...notes, ...kept] : [problem, ...notes],
      };
    },
    instances: new VmInstances({ cloud, offers, way, pace, account }),
    ...{ volumes: cloud.volumes ?? null, groups: null },
    ...(cloud.claims && { claims: cloud.claims }),
    check: () => cloud.check(),
  };
}
