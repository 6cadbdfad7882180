import type { CloudCatalog, VmType } from '../../capacity.ts';

/** The id of the project of the account. */
export const PROJECT = 'demo-project';

/** Machines stand in zones, which are the account's regions here. */
export const ZONES = ['us-central1-a', 'us-central1-b', 'us-west4-a', 'europe-west4-a'] as const;

/** Names and sizes as Google has published them; a selection. */
const TYPES: readonly VmType[] = [
  type('e2-medium', null, 2, 4, 0.0335),
  type('e2-standard-2', null, 2, 8, 0.067),
  type('e2-standard-4', null, 4, 16, 0.134),
  // GPUs are attached to it.
  type('n1-standard-8', null, 8, 30, 0.38),
  type('g2-standard-4', { name: 'L4', count: 1, memoryGib: 24 }, 4, 16, 0.7069),
  type('a2-highgpu-1g', { name: 'A100', count: 1, memoryGib: 40 }, 12, 85, 3.6734),
];

export const GCP_CATALOG: CloudCatalog = {
  types: TYPES,
  images: ['projects/ubuntu-os-cloud/global/images/family/ubuntu-2404-lts-amd64'],
  regions: ZONES.map((name) => ({ name, description: name })),
};

export const regionOfZone = (zone: string): string => zone.slice(0, -2);

/** The regions of all zones. */
export const REGIONS: readonly string[] = [...new Set(ZONES.map(regionOfZone))];

function type(
  name: string,
  gpu: VmType['gpu'],
  vcpus: number,
  memoryGib: number,
  pricePerHour: number,
): VmType {
  return {
    ...{ name, vcpus, memoryGib, pricePerHour, gpu, regions: ZONES, diskGib: 0 },
    description: `${vcpus} vCPUs, ${memoryGib} GB RAM`,
  };
}
