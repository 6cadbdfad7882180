/** Tags of some providers, such as DigitalOcean and Vultr, are flat texts of letters, digits, `_`, `-` and `:`: `key:value`, escaped. */

import { escapedBytes, unescapedBytes } from './escaped-bytes.ts';

const OTHERS = /[^A-Za-z0-9-]/gu;
const LONGEST = 255;

/** Tags that would be too long are left out; those of the owner never are. */
export function flatTags(tags: Readonly<Record<string, string>>): string[] {
  return Object.entries(tags)
    .map(([key, value]) => `${escapedBytes(key, OTHERS)}:${escapedBytes(value, OTHERS)}`)
    .filter((tag) => tag.length <= LONGEST);
}

export function tagsFrom(flat: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    flat.map((tag) => {
      const at = tag.indexOf(':');
      return at < 0
        ? [tag, '']
        : [unescapedBytes(tag.slice(0, at)), unescapedBytes(tag.slice(at + 1))];
    }),
  );
}
