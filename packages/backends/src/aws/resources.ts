/** The parts that all resources of AWS except machines share: their owner tags. */
import type { OwnerTags } from '../base/owner-tags.ts';
import { ownerTags } from '../base/rest-vm/names.ts';
import { validTags } from './tags.ts';

/** Tags of something that was made for an order. `mine` wins over `theirs`, and the owner's over both. */
export function resourceTags(
  owner: OwnerTags,
  key: string,
  ...[mine, theirs]: readonly Readonly<Record<string, string>>[]
): Readonly<Record<string, string>> {
  return validTags(ownerTags(owner, key), mine ?? {}, theirs ?? {});
}
