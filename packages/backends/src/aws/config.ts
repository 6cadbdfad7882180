/** The configuration of the reference, as this adapter uses it. */
import type { BackendConfigWithCreds } from '@dstack/contract/wire';
import { isRegion } from './endpoints.ts';
import type { AwsSettings } from './settings.ts';
import { validTags } from './tags.ts';

export type AwsConfig = Extract<BackendConfigWithCreds, { type: 'aws' }>;

/** The regions that dstack 0.22.5 uses for a configuration without regions. */
export const DEFAULT_REGIONS: readonly string[] = [
  ...['us-east-1', 'us-east-2', 'us-west-1', 'us-west-2', 'ap-southeast-1', 'ca-central-1'],
  ...['eu-central-1', 'eu-west-1', 'eu-west-2', 'eu-west-3', 'eu-north-1'],
];

const MOST_TAGS = 25;

/** The error in the form of the configuration, for people; null = there is none. */
export function configProblem(config: AwsConfig): string | null {
  const { vpc_name: vpcName, vpc_ids: vpcIds, default_vpcs: defaults, tags } = config;
  const regions = regionsOf(config);
  const wrong = regions.find((region) => !isRegion(region));
  if (wrong !== undefined) return `regions: ${JSON.stringify(wrong)} is no region of AWS`;
  if (config.regions?.length === 0) return 'regions must name a region, or be left out';
  if (vpcName && vpcIds) return 'only one of vpc_name and vpc_ids may be given';
  if (defaults === false && !vpcName && !vpcIds) {
    return 'default_vpcs: false needs vpc_name or vpc_ids';
  }
  const without = regions.find((region) => vpcIds?.[region] === undefined);
  if (defaults === false && vpcIds && without !== undefined) {
    return `vpc_ids names no VPC of ${without}, and default_vpcs is false`;
  }
  const invalid = Object.entries(tags ?? {}).find(
    ([key, value]) => Object.keys(validTags({ [key]: value })).length === 0,
  );
  if (invalid) return `tags: AWS does not allow ${JSON.stringify(invalid.join('='))}`;
  if (Object.keys(tags ?? {}).length > MOST_TAGS) return `tags must be at most ${MOST_TAGS}`;
  return null;
}

export function settingsOf(config: AwsConfig): AwsSettings {
  const { os_images: images } = config;
  return {
    regions: regionsOf(config),
    vpcIds: config.vpc_ids ?? {},
    network: {
      vpcName: config.vpc_name ?? null,
      allowsDefault: config.default_vpcs ?? true,
      isPublic: config.public_ips ?? true,
    },
    images: images ? { cpu: images.cpu ?? null, nvidia: images.nvidia ?? null } : null,
    profile: config.iam_instance_profile ?? null,
    tags: config.tags ?? {},
    experimental: config.experimental_instance_types ?? [],
  };
}

function regionsOf({ regions }: AwsConfig): readonly string[] {
  return regions ? [...new Set(regions.map((region) => region.toLowerCase()))] : DEFAULT_REGIONS;
}
