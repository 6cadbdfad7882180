/** The parts that all resources of AWS except machines share: their owner tags, and the region in their handles. */
import { createHash } from 'node:crypto';
import type { OwnerTags } from '../base/owner-tags.ts';
import { ownerTags } from '../base/rest-vm/names.ts';
import { validTags } from './tags.ts';

const DIGITS = 12;

/** Tags of something that was made for an order. `mine` wins over `theirs`, and the owner's over both. */
export function resourceTags(
  owner: OwnerTags,
  key: string,
  ...[mine, theirs]: readonly Readonly<Record<string, string>>[]
): Readonly<Record<string, string>> {
  return validTags(ownerTags(owner, key), mine ?? {}, theirs ?? {});
}

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
