import { hostVolumePlace } from '@dstack/contract';

/** The place of a volume as its configuration names it: one on hosts is Kubernetes' on the wire only. */
export function volumePlace(configuration: {
  readonly backend: string;
  readonly region?: string | null;
}): { readonly backend: string; readonly region: string | null } {
  const place = hostVolumePlace(configuration);
  if (place !== null) return { backend: 'remote', region: place };
  return { backend: configuration.backend, region: configuration.region ?? null };
}
