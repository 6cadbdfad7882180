/** The permissions that the adapter needs; the role in `docs/backends.md` is made from this list. */

/** In the project of the machines, in the order of the alphabet. */
export const PERMISSIONS: readonly string[] = [
  'compute.disks.create',
  'compute.disks.delete',
  'compute.disks.get',
  'compute.disks.list',
  'compute.disks.setLabels',
  'compute.disks.use',
  'compute.firewalls.create',
  'compute.images.useReadOnly',
  'compute.instances.attachDisk',
  'compute.instances.create',
  'compute.instances.delete',
  'compute.instances.detachDisk',
  'compute.instances.get',
  'compute.instances.list',
  'compute.instances.setLabels',
  'compute.instances.setMetadata',
  'compute.instances.setServiceAccount',
  'compute.instances.setTags',
  'compute.networks.get',
  'compute.networks.updatePolicy',
  'compute.projects.get',
  'compute.regions.list',
  'compute.reservations.list',
  'compute.resourcePolicies.create',
  'compute.resourcePolicies.delete',
  'compute.resourcePolicies.list',
  'compute.resourcePolicies.use',
  'compute.routers.list',
  'compute.subnetworks.list',
  'compute.subnetworks.use',
  'compute.subnetworks.useExternalIp',
  'compute.zoneOperations.get',
];

/** In the project of the machines, for gateways only. */
export const GATEWAY_PERMISSIONS: readonly string[] = [
  'compute.addresses.create',
  'compute.addresses.delete',
  'compute.addresses.get',
  'compute.addresses.list',
  'compute.addresses.use',
  'compute.instances.addAccessConfig',
];

/** In the project of a shared VPC. */
export const HOST_PERMISSIONS: readonly string[] = [
  'compute.subnetworks.list',
  'compute.subnetworks.use',
  'compute.subnetworks.useExternalIp',
];

/** The role to give to the service account whose key the configuration has, for `gcloud iam roles create`. */
export function roleDocument(): string {
  return [
    'title: dstack',
    'stage: GA',
    'includedPermissions:',
    ...[...PERMISSIONS, ...GATEWAY_PERMISSIONS].toSorted().map((name) => `- ${name}`),
  ].join('\n');
}
