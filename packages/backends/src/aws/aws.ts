/** AWS as a backend. */
import { capabilitiesOf, requirementsMatch } from '@dstack/core';
import type { KeptFacts } from '../base/kind.ts';
import type { Backend } from '../base/port.ts';
import { VmInstances } from '../base/rest-vm/instances.ts';
import { LiveOffers } from '../base/rest-vm/live-offers.ts';
import type { CallPace } from '../base/rest-vm/pace.ts';
import { sshWay } from '../base/rest-vm/ssh-way.ts';
import type { CatalogItem } from '../catalog/catalog.ts';
import type { AwsClient } from './aws-client.ts';
import { AwsRegion } from './aws-region.ts';
import { checkAws } from './check.ts';
import { awsClaims, claimsRegion } from './claims.ts';
import { Ec2 } from './ec2.ts';
import { Images } from './images.ts';
import { Networks } from './networks.ts';
import { AwsOffers, quotaNotes, withDisk } from './offers.ts';
import { PlacementGroups } from './placement-groups.ts';
import { RegionalInstances, type RegionParts } from './regional-instances.ts';
import type { AwsSettings } from './settings.ts';
import { EbsVolumes } from './volumes.ts';

export interface AwsOptions {
  readonly client: AwsClient;
  readonly settings: AwsSettings;
  /** The catalogue's list now. */
  readonly listed: () => readonly CatalogItem[];
  /** Where its prices are from, for plans; null = there is nothing to add. */
  readonly catalogNote: () => string | null;
  /** Host keys are derived from it. */
  readonly secret: string;
  readonly facts: Pick<KeptFacts, 'get' | 'set'>;
  /** Key of the stored offers: another one for each account and choice of regions. */
  readonly factKey: string;
  readonly pace: CallPace;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export function awsBackend(options: AwsOptions): Backend {
  const { client, settings, listed, facts, factKey, pace, now } = options;
  const { regions, experimental, tags } = settings;
  const asked = new AwsOffers({ client, regions, experimental, listed, now: () => pace.now() });
  const ask = () => asked.all();
  const offers = new LiveOffers({ title: 'AWS', ask, facts, factKey, now });
  const parts = new Map<string, AwsRegionParts>();
  const of = (region: string): AwsRegionParts => {
    const known = parts.get(region) ?? regionParts(options, region, asked, offers);
    parts.set(region, known);
    return known;
  };
  const ec2Of = (region: string) => of(region).ec2;
  return {
    name: 'aws',
    capabilities: capabilitiesOf('aws'),
    // EC2 reports no freed capacity.
    signalsCapacity: false,
    offers: async (requirements) => {
      if (requirements.reservation) return { offers: [], notes: [NO_RESERVATIONS] };
      const { offers: all, notes } = await offers.answer();
      const sized = all.flatMap((offer) => withDisk(offer, requirements) ?? []);
      const matching = sized.filter((offer) => requirementsMatch(requirements, offer));
      const quotas = quotaNotes(matching, (offer) => asked.limitOf(offer));
      const prices = options.catalogNote();
      return {
        offers: matching.toSorted((a, b) => a.price - b.price),
        notes: [...(prices === null ? [] : [prices]), ...notes, ...asked.problems, ...quotas],
      };
    },
    instances: new RegionalInstances({ regions, of, offers }),
    volumes: new EbsVolumes({ regions, of: ec2Of, tags, zones: (region) => of(region).zones() }),
    groups: new PlacementGroups({ regions, of: ec2Of, tags }),
    claims: awsClaims(client, claimsRegion(regions)),
    check: () => checkAws({ client, settings, networksOf: (region) => of(region).networks }),
  };
}

const NO_RESERVATIONS = 'reservations of AWS cannot be used yet';

interface AwsRegionParts extends RegionParts {
  readonly ec2: Ec2;
  readonly networks: Networks;
}

function regionParts(
  { client, settings, secret, pace }: AwsOptions,
  region: string,
  asked: AwsOffers,
  offers: LiveOffers,
): AwsRegionParts {
  const { vpcIds, network, images, profile, tags } = settings;
  const ec2 = new Ec2(client, region);
  const steady = () => pace.now();
  const networks = new Networks(ec2, { ...network, vpcId: vpcIds[region] ?? null }, steady);
  const cloud = new AwsRegion({
    ...{ ec2, networks, profile, tags, isPublic: network.isPublic },
    images: new Images(ec2, images, steady),
    sizes: (type) => asked.sizes(type),
  });
  // The others may have capacity when one zone has none.
  const priceOf = offers.priceOf.bind(offers);
  const instances = new VmInstances({
    cloud,
    offers: { priceOf, refused: () => {} },
    way: sshWay(cloud, secret),
    pace,
  });
  const zones = async () => (await networks.network()).subnets.map(({ zone }) => zone);
  return { instances, zones, networks, ec2 };
}
