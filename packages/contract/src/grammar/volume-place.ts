/**
 * Volumes that are directories of hosts. On the wire they are Kubernetes volumes with a region that
 * begins with `ssh:`, which is reserved for them; in configurations their backend is `remote`.
 */
const PREFIX = 'ssh:';

/** The place of a volume on the server's machine; any other place is the name of an SSH fleet. */
export const SERVER_HOST_PLACE = 'local';

/** The region on the wire. */
export function hostVolumeRegion(place: string): string {
  return `${PREFIX}${place}`;
}

/** The fleet's name or `local`; null = the volume is not on hosts. */
export function hostVolumePlace(volume: {
  readonly backend: string;
  readonly region?: string | null;
}): string | null {
  if (volume.backend !== 'kubernetes' || !volume.region?.startsWith(PREFIX)) return null;
  return volume.region.slice(PREFIX.length);
}
