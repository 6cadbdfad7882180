/** Names and tags by which machines at providers are found again. */
import { createHash } from 'node:crypto';
import { OWNER_TAGS, type OwnerTags } from '../owner-tags.ts';

const DIGITS = 20;

/** Tag with the key of the order. */
export const KEY_TAG = 'dstack-key';

/** The same key always gives the same name: `dstack-` and 20 hexadecimal digits. */
export function vmName(key: string): string {
  return `dstack-${createHash('sha256').update(key).digest('hex').slice(0, DIGITS)}`;
}

/** The tags of everything that is created for an order. `keyTag`: the tag that has its key. */
export function ownerTags(
  owner: OwnerTags,
  key: string,
  keyTag = KEY_TAG,
): Readonly<Record<string, string>> {
  const tags = Object.entries(OWNER_TAGS).map(([part, tag]) => [
    tag,
    owner[part as keyof OwnerTags],
  ]);
  return { ...Object.fromEntries(tags), [keyTag]: key };
}

/** Returns the owner, as far as the tags contain it. */
export function ownerIn(tags: Readonly<Record<string, string>>): OwnerTags {
  const of = (part: keyof OwnerTags) => tags[OWNER_TAGS[part]] ?? '';
  return {
    ...{ server: of('server'), project: of('project') },
    ...{ fleet: of('fleet'), instance: of('instance') },
  };
}
