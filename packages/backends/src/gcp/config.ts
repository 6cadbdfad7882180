/** The configuration of the reference, as this adapter uses it. */
import type { BackendConfigWithCreds } from '@dstack/contract/wire';
import { labelProblem } from './labels.ts';
import type { GcpSettings } from './settings.ts';

export type GcpConfig = Extract<BackendConfigWithCreds, { type: 'gcp' }>;

/** The regions that dstack 0.22.5 uses for a configuration without regions. */
export const DEFAULT_REGIONS: readonly string[] = [
  ...['northamerica-northeast1', 'northamerica-northeast2', 'us-central1', 'us-east1', 'us-east4'],
  ...['us-east5', 'us-south1', 'us-west1', 'us-west2', 'us-west3', 'us-west4'],
  ...['southamerica-east1', 'southamerica-west1', 'europe-central2', 'europe-north1'],
  ...['europe-southwest1', 'europe-west1', 'europe-west2', 'europe-west3', 'europe-west4'],
  ...['europe-west6', 'europe-west8', 'europe-west9', 'asia-east1', 'asia-east2'],
  ...['asia-northeast1', 'asia-northeast2', 'asia-northeast3', 'asia-south1', 'asia-south2'],
  ...['asia-southeast1', 'asia-southeast2', 'me-west1', 'australia-southeast1'],
  'australia-southeast2',
];

const REGION = /^[a-z]+-[a-z]+\d{1,2}$/;
/** Also those of organisations with a domain: `example.com:project`. */
const PROJECT = /^(?:[a-z0-9.-]{1,100}:)?[a-z0-9][a-z0-9-]{0,62}$/;
const NAME = /^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const EMAIL = /^[a-z0-9-]{1,63}@[a-z0-9.-]{1,190}$/;
const MOST_LABELS = 25;

/** The error in the form of the configuration, for people; null = there is none. */
export function configProblem(config: GcpConfig): string | null {
  const { regions, tags, vm_service_account: account } = config;
  if (regions?.length === 0) return 'regions must name a region, or be left out';
  const wrong = regionsOf(config).find((region) => !REGION.test(region));
  if (wrong !== undefined) return `regions: ${JSON.stringify(wrong)} is no region of GCP`;
  for (const [key, value] of projectsOf(config)) {
    if (!PROJECT.test(value)) return `${key}: ${JSON.stringify(value)} is no id of a project`;
  }
  for (const [key, value] of namesOf(config)) {
    if (!NAME.test(value)) return `${key}: ${JSON.stringify(value)} is no name in GCP`;
  }
  if (account && !EMAIL.test(account)) return 'vm_service_account must be the email of one';
  const entries = Object.entries(tags ?? {});
  if (entries.length > MOST_LABELS) return `tags must be at most ${MOST_LABELS}`;
  for (const [key, value] of entries) {
    const problem = labelProblem(key, value);
    if (problem !== null) return `tags: ${problem}`;
  }
  return null;
}

function projectsOf(config: GcpConfig): readonly (readonly [string, string])[] {
  const { project_id: project, vpc_project_id: host } = config;
  return [['project_id', project], ...(host ? [['vpc_project_id', host] as const] : [])];
}

/** All of them become parts of paths. */
function namesOf(config: GcpConfig): readonly (readonly [string, string])[] {
  const { vpc_name: vpc, extra_vpcs: extra, roce_vpcs: roce, subnetworks } = config;
  return [
    ...(vpc ? [['vpc_name', vpc] as const] : []),
    ...(extra ?? []).map((name) => ['extra_vpcs', name] as const),
    ...(roce ?? []).map((name) => ['roce_vpcs', name] as const),
    ...Object.values(subnetworks ?? {}).map((name) => ['subnetworks', name] as const),
  ];
}

export function settingsOf(config: GcpConfig): GcpSettings {
  const { preview_features: previews } = config;
  return {
    project: config.project_id,
    regions: regionsOf(config),
    network: {
      hostProject: config.vpc_project_id ?? null,
      vpc: config.vpc_name ?? null,
      subnetworks: config.subnetworks ?? {},
      extraVpcs: config.extra_vpcs ?? [],
      isPublic: config.public_ips ?? true,
      checksNat: config.nat_check ?? true,
    },
    showsTpus: config.tpu ?? false,
    serviceAccount: config.vm_service_account ?? null,
    labels: config.tags ?? {},
    previews: (previews ?? []).map((name) => `gcp-${name}`),
  };
}

function regionsOf({ regions }: GcpConfig): readonly string[] {
  return regions ? [...new Set(regions.map((region) => region.toLowerCase()))] : DEFAULT_REGIONS;
}
