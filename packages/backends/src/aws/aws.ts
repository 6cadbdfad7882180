/** AWS as a backend. */
import type { Requirements } from '@dstack/contract/wire';
import { capabilitiesOf, type Offer, requirementsMatch } from '@dstack/core';
import type { Backend } from '../base/port.ts';
import type { GatewayRegion } from '../base/rest-vm/gateways/gateway-parts.ts';
import { vmGateways } from '../base/rest-vm/gateways/vm-gateways.ts';
import { VmInstances } from '../base/rest-vm/instances.ts';
import type { CallPace } from '../base/rest-vm/pace.ts';
import { RegionalInstances, type RegionParts } from '../base/rest-vm/regional-instances.ts';
import { sshWay } from '../base/rest-vm/ssh-way.ts';
import { withoutServer } from '../base/rest-vm/without-server.ts';
import { EC2_SPOT_NOTICE } from '../base/spot-notices.ts';
import type { AwsAccount, AwsMarket } from './aws-account.ts';
import { AwsRegion, LEASE_ENDING } from './aws-region.ts';
import { checkAws } from './check.ts';
import { awsClaims, claimsRegion } from './claims.ts';
import { Ec2 } from './ec2.ts';
import { gatewayRegion } from './gateways/gateway-region.ts';
import { Images } from './images.ts';
import { Networks } from './networks.ts';
import { quotaNotes, withDisk } from './offers.ts';
import { PlacementGroups } from './placement-groups.ts';
import { type ReservationAnswer, Reservations, reservationProblem } from './reservations.ts';
import type { AwsSettings } from './settings.ts';
import { EbsVolumes } from './volumes.ts';

export interface AwsOptions {
  readonly account: AwsAccount;
  readonly settings: AwsSettings;
  /** Where the prices of the catalogue are from, for plans; null = there is nothing to add. */
  readonly catalogNote: () => string | null;
  /** Host keys are derived from it. */
  readonly secret: string;
  readonly pace: CallPace;
  /** The same as in `BackendHost`. */
  readonly leaseSeconds: number | null;
}

export function awsBackend(options: AwsOptions): Backend {
  const { account, settings, leaseSeconds } = options;
  const { client } = account;
  const { regions, tags } = settings;
  const { asked, offers } = account.marketOf(settings);
  const parts = new Map<string, AwsRegionParts>();
  const of = (region: string): AwsRegionParts => {
    const known = parts.get(region) ?? regionParts(options, region, { asked, offers });
    parts.set(region, known);
    return known;
  };
  const ec2Of = (region: string) => of(region).ec2;
  const reservations = new Reservations(regions, ec2Of, () => options.pace.now());
  /** All offers, or only those of the reservation that the run names. */
  const reserved = async (
    live: readonly Offer[],
    notes: readonly string[],
    wanted: Requirements,
  ) => {
    if (!wanted.reservation) return { offers: live, notes };
    const answer = await reservations.find(wanted.reservation);
    const problem = reservationProblem(wanted.reservation, answer);
    return {
      offers: problem === null ? live.flatMap((offer) => inReservation(offer, answer) ?? []) : [],
      notes: problem === null ? notes : [problem, ...notes],
    };
  };
  return {
    name: 'aws',
    capabilities: capabilitiesOf('aws'),
    // EC2 reports no freed capacity.
    signalsCapacity: false,
    offers: async (requirements) => {
      const { offers: live, notes: lived } = await offers.answer();
      const { offers: all, notes } = await reserved(live, lived, requirements);
      const sized = all.flatMap((offer) => withDisk(offer, requirements) ?? []);
      const matching = sized.filter((offer) => requirementsMatch(requirements, offer));
      const quotas = quotaNotes(matching, (offer) => asked.limitOf(offer));
      const prices = options.catalogNote();
      const hasSpot = matching.some(({ instance }) => instance.resources.spot);
      return {
        offers: matching.toSorted((a, b) => a.price - b.price),
        notes: [
          ...[...(prices === null ? [] : [prices]), ...notes, ...asked.problems, ...quotas],
          ...(hasSpot ? asked.spotNotes : []),
          ...(matching.length === 0
            ? []
            : [withoutServer({ leaseEnding: LEASE_ENDING }, leaseSeconds)]),
        ],
      };
    },
    instances: new RegionalInstances({
      ...{ title: 'AWS', regions, of, offers, leaseEnding: LEASE_ENDING },
      notices: { sources: [EC2_SPOT_NOTICE] },
    }),
    volumes: new EbsVolumes({ regions, of: ec2Of, tags, zones: (region) => of(region).zones() }),
    groups: new PlacementGroups({ regions, of: ec2Of, tags }),
    gateways: vmGateways({
      title: 'AWS',
      hasBalancers: true,
      regions,
      of: (region) => of(region).gateways,
    }),
    claims: awsClaims(client, claimsRegion(regions)),
    check: () => checkAws({ client, settings, networksOf: (region) => of(region).networks }),
  };
}

/** Null: the reservation is for others. What it holds is available, and its quota was used when it was made. */
function inReservation(offer: Offer, { reservation }: ReservationAnswer): Offer | null {
  const { name, resources } = offer.instance;
  const isHeld =
    reservation !== null &&
    !resources.spot &&
    offer.region === reservation.region &&
    name === reservation.type;
  if (!isHeld) return null;
  return { ...offer, availability: 'available', availability_zones: [reservation.zone] };
}

interface AwsRegionParts extends RegionParts {
  readonly ec2: Ec2;
  readonly networks: Networks;
  readonly gateways: GatewayRegion;
}

function regionParts(
  options: AwsOptions,
  region: string,
  { asked, offers }: AwsMarket,
): AwsRegionParts {
  const { account, settings, secret, pace, leaseSeconds } = options;
  const { vpcIds, network, images, profile, tags } = settings;
  const ec2 = new Ec2(account.client, region);
  const steady = () => pace.now();
  const networks = new Networks(ec2, { ...network, vpcId: vpcIds[region] ?? null }, steady);
  const cloud = new AwsRegion({
    ...{ ec2, networks, profile, tags, isPublic: network.isPublic },
    images: new Images(ec2, images, steady),
    sizes: (type) => asked.sizes(type),
  });
  // The others may have capacity when one zone has none. Quotas hold for the whole region.
  const { vms, capacity } = account.regionOf(region);
  const priceOf = offers.priceOf.bind(offers);
  const instances = new VmInstances({
    cloud,
    offers: {
      priceOf,
      refused: (offer, why) => {
        if (why === 'capacity') capacity.refused(offer);
      },
    },
    way: sshWay(cloud, secret, leaseSeconds),
    ...{ pace, account: vms },
  });
  const zones = async () => (await networks.network()).subnets.map(({ zone }) => zone);
  const sizes = (type: string) => asked.sizes(type);
  const gateways = gatewayRegion({ ...options, ec2, sizes });
  return { instances, zones, capacity, networks, ec2, gateways };
}
