/**
 * The owner of a resource at a provider: four tags on everything that costs money, on machines, volumes,
 * groups, gateways, and the disks and addresses that are created for them.
 */
export interface OwnerTags {
  /** Id of the installation: servers that share a database are one owner. */
  readonly server: string;
  readonly project: string;
  /** Empty for volumes and gateways, which belong to no fleet. */
  readonly fleet: string;
  /** Name of the instance, the volume or the replica of a gateway; empty for groups. */
  readonly instance: string;
}

/** Names of the owner tags at providers that take tags with hyphens. */
export const OWNER_TAGS = {
  server: 'dstack-server',
  project: 'dstack-project',
  fleet: 'dstack-fleet',
  instance: 'dstack-instance',
} as const satisfies Record<keyof OwnerTags, string>;
