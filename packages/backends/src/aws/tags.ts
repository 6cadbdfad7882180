/** Tags of AWS's resources. */
import type { AwsParameters } from './form.ts';

const KEY = /^[\w .:/=+@-]{1,128}$/;
const VALUE = /^[\w .:/=+@-]{0,256}$/;
/** AWS keeps them to itself. */
const RESERVED = /^aws:/i;
/** The most tags that a resource may have. */
const MOST = 50;

/** In the order of importance; what AWS would refuse is left out, as in dstack 0.22.5. */
export function validTags(
  ...sets: readonly Readonly<Record<string, string>>[]
): Readonly<Record<string, string>> {
  const valid = new Map<string, string>();
  for (const [key, value] of sets.flatMap((set) => Object.entries(set))) {
    const fits = KEY.test(key) && VALUE.test(value) && !RESERVED.test(key);
    if (fits && !valid.has(key) && valid.size < MOST) valid.set(key, value);
  }
  return Object.fromEntries(valid);
}

export function tagSpecification(
  ResourceType: string,
  tags: Readonly<Record<string, string>>,
): AwsParameters {
  const Tag = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
  return { ResourceType, Tag };
}
