/** Handles of things that are looked for in one region, and short names for things of several servers. */
import { createHash } from 'node:crypto';

const DIGITS = 12;

/** A short text that differs wherever one of the parts does. */
export function digest(...parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, DIGITS);
}

export const inRegionData = (region: string): string => JSON.stringify({ region });

/** The region in a handle. */
export function regionIn({ id, data }: { readonly id: string; readonly data: string | null }) {
  const { region } = JSON.parse(data ?? '{}') as { readonly region?: string };
  if (region !== undefined) return region;
  throw new Error(`the handle of ${id} has no region`);
}
