/** GCP as a backend. */
import type { Requirements } from '@dstack/contract/wire';
import { capabilitiesOf, type Offer, requirementsMatch } from '@dstack/core';
import type { Backend } from '../base/port.ts';
import { vmGateways } from '../base/rest-vm/gateways/vm-gateways.ts';
import { VmInstances } from '../base/rest-vm/instances.ts';
import type { CallPace } from '../base/rest-vm/pace.ts';
import { RegionalInstances, type RegionParts } from '../base/rest-vm/regional-instances.ts';
import { sshWay } from '../base/rest-vm/ssh-way.ts';
import { withoutServer } from '../base/rest-vm/without-server.ts';
import { GCE_PREEMPTION_NOTICE } from '../base/spot-notices.ts';
import { withDisk } from '../base/wanted-disk.ts';
import { checkGcp } from './check.ts';
import { gcpClaims } from './claims.ts';
import { Disks } from './disks.ts';
import { gatewayRegion } from './gateways/gateway-region.ts';
import type { GcpAccount, GcpMarket } from './gcp-account.ts';
import { GcpRegion, LEASE_ENDING, TPU_REFUSAL } from './gcp-region.ts';
import { isTpu } from './machine-types.ts';
import { Networks } from './networks.ts';
import { quotaNotes, ROOT_DISKS } from './offers.ts';
import { PlacementGroups } from './placement-groups.ts';
import { inReservation, Reservations, reservationProblem } from './reservations.ts';
import { ResourcePolicies } from './resource-policies.ts';
import type { GcpSettings } from './settings.ts';
import { useForJobs } from './vm-use.ts';
import { GcpVolumes } from './volumes.ts';

export interface GcpOptions {
  readonly account: GcpAccount;
  readonly settings: GcpSettings;
  /** Where the prices of the catalogue are from, for plans; null = there is nothing to add. */
  readonly catalogNote: () => string | null;
  /** Host keys are derived from it. */
  readonly secret: string;
  readonly pace: CallPace;
  /** The same as in `BackendHost`. */
  readonly leaseSeconds: number | null;
}

export function gcpBackend(options: GcpOptions): Backend {
  const { account, settings, leaseSeconds, pace } = options;
  const { compute } = account;
  const { regions } = settings;
  const market = account.marketOf(settings);
  const networks = new Networks(compute, settings.network, () => pace.now());
  const policies = new ResourcePolicies(compute);
  const reservations = new Reservations(compute, () => pace.now());
  const of = rememberedBy((region: string) =>
    regionParts(options, region, market, { networks, policies, reservations }),
  );
  const gatewaysOf = rememberedBy((region: string) =>
    gatewayRegion({ region, account, market, networks, settings, secret: options.secret, pace }),
  );
  /** All offers, or only those of the reservation that the run names. */
  const reserved = async (
    live: readonly Offer[],
    notes: readonly string[],
    { reservation }: Requirements,
  ) => {
    if (!reservation) return { offers: live, notes };
    const answer = await reservations.find(reservation);
    const problem = reservationProblem(reservation, answer);
    return {
      offers: live.flatMap((offer) => inReservation(offer, answer) ?? []),
      notes: problem === null ? notes : [problem, ...notes],
    };
  };
  return {
    name: 'gcp',
    capabilities: capabilitiesOf('gcp'),
    // Google reports no freed capacity.
    signalsCapacity: false,
    offers: async (requirements) => {
      const { offers: live, notes: lived } = await market.offers.answer();
      const { offers: all, notes } = await reserved(live, lived, requirements);
      const sized = all.flatMap((offer) => withDisk(offer, requirements, ROOT_DISKS) ?? []);
      const matching = sized.filter((offer) => requirementsMatch(requirements, offer));
      const hasTpus = matching.some(({ instance }) => isTpu(instance.resources));
      const quotas = quotaNotes(matching, (offer) => market.asked.quotaOf(offer));
      const prices = options.catalogNote();
      return {
        offers: matching.toSorted((a, b) => a.price - b.price),
        notes: [
          ...[...(prices === null ? [] : [prices]), ...notes, ...quotas],
          ...(hasTpus ? [TPU_REFUSAL] : []),
          ...(matching.length === 0
            ? []
            : [withoutServer({ leaseEnding: LEASE_ENDING }, leaseSeconds)]),
        ],
      };
    },
    instances: new RegionalInstances({
      ...{ title: 'GCP', regions, of, offers: market.offers, leaseEnding: LEASE_ENDING },
      notices: { sources: [GCE_PREEMPTION_NOTICE] },
    }),
    volumes: new GcpVolumes({
      ...{ project: settings.project, regions, disks: new Disks(compute), labels: settings.labels },
      zones: (region) => market.asked.zones(region),
    }),
    groups: new PlacementGroups(policies),
    gateways: vmGateways({ title: 'GCP', hasBalancers: false, regions, of: gatewaysOf }),
    claims: gcpClaims(policies),
    check: () => checkGcp({ compute, networks, settings }),
  };
}

/** The same answer for the same region. */
function rememberedBy<T>(make: (region: string) => T): (region: string) => T {
  const known = new Map<string, T>();
  return (region) => {
    const made = known.get(region) ?? make(region);
    known.set(region, made);
    return made;
  };
}

function regionParts(
  { account, settings, secret, pace, leaseSeconds }: GcpOptions,
  region: string,
  { asked, offers }: GcpMarket,
  shared: {
    readonly networks: Networks;
    readonly reservations: Reservations;
    readonly policies: ResourcePolicies;
  },
): RegionParts {
  const { networks, policies, reservations } = shared;
  const { vms, capacity } = account.regionOf(region);
  const cloud = new GcpRegion({
    ...{ region, networks, settings, compute: account.compute },
    use: useForJobs(networks, settings.network.isPublic),
    insertions: account.insertions,
    listed: () => account.listed(),
    clusters: { reservations, policyOf: (of, name) => policies.linkOf(of, name) },
    sizes: (type, accelerator) => asked.sizes(type, accelerator),
  });
  const instances = new VmInstances({
    cloud,
    // The others may have capacity when one zone has none. Quotas hold for the whole region.
    offers: {
      priceOf: offers.priceOf.bind(offers),
      refused: (offer, why) => {
        if (why === 'capacity') capacity.refused(offer);
      },
    },
    way: sshWay(cloud, secret, leaseSeconds),
    ...{ pace, account: vms },
  });
  return {
    ...{ instances, capacity, zones: async () => asked.zones(region) },
    refusal: async () => {
      const part = await account.unreachableIn(region);
      return part === null
        ? null
        : `GCP: ${part} does not answer, so nothing is ordered in ${region}`;
    },
  };
}
