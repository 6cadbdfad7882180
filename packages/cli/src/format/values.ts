import { isServerHostOnWire, isSshHost } from '@dstack/contract/status';
/** `$` and at most `decimals` decimals without trailing zeros: `$0`, `$3.933`. */
export function price(amount: number, decimals = 4): string {
  return `$${trimmed(amount, decimals)}`;
}

/** A number with at most `decimals` decimals, trailing zeros removed. */
export function trimmed(amount: number, decimals: number): string {
  const text = amount.toFixed(decimals);
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

/** `512 B`, `3.1 MB`, `8.2 GB`: decimal units, as registries count. */
export function bytesText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${trimmed(value, value < 10 && unit > 0 ? 1 : 0)} ${units[unit]}`;
}

/** MiB as `192GB`, `0.5GB`; less than a tenth of one as `52MB`. */
export function gigabytes(mib: number): string {
  if (mib > 0 && mib < 102.4) return `${Math.max(1, Math.round(mib))}MB`;
  return `${trimmed(mib / 1024, 1)}GB`;
}

export interface Bounds {
  readonly min?: number | null;
  readonly max?: number | null;
}

/** `min..max`, `min..`, `..max`, or one value when both are equal. */
export function range(value: Bounds, show: (n: number) => string = String): string {
  const min = value.min ?? null;
  const max = value.max ?? null;
  if (min !== null && min === max) return show(min);
  return `${min === null ? '' : show(min)}..${max === null ? '' : show(max)}`;
}

/** A size given in GB: `80GB`, `0.5GB`. */
export function sizeGb(gb: number): string {
  return `${trimmed(gb, 2)}GB`;
}

/**
 * The backend of an offer, instance or job as shown to users. SSH fleets are `remote` in the API
 * and shown as `ssh`; the server host is `remote` in the region `local` and shown as `local`.
 */
export function backendName(backend: string | null | undefined, region?: string | null): string {
  if (!backend) return '-';
  if (isServerHostOnWire({ backend, region })) return 'local';
  return isSshHost(backend) ? 'ssh' : backend;
}

/** `aws (us-east-1)`, `ssh (remote)`, `local`. */
export function backendWithRegion(
  backend: string | null | undefined,
  region: string | null | undefined,
): string {
  const name = backendName(backend, region);
  if (!backend || !region || isServerHostOnWire({ backend, region })) return name;
  return `${name} (${region})`;
}

/** Where an instance is: `ssh (10.0.0.5)` for an SSH host, which has no region; else as above. */
export function backendWithHost(
  instance: { readonly backend?: string | null; readonly region?: string | null } & {
    readonly hostname?: string | null;
  },
): string {
  const { backend, region, hostname } = instance;
  const isOwn = isSshHost(backend ?? null) && !isServerHostOnWire({ backend, region });
  return backendWithRegion(backend, isOwn && hostname ? hostname : region);
}

/** Empty for the states that need no mention: available, unknown. */
export function availability(value: string): string {
  return value === 'available' || value === 'unknown' ? '' : value.replaceAll('_', ' ');
}
