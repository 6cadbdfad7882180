/** A machine of Hot Aisle has no tags. Its description has them: `key=value`, separated by spaces. */
import { escapedBytes, unescapedBytes } from '../base/rest-vm/escaped-bytes.ts';
import { KEY_TAG } from '../base/rest-vm/names.ts';

/** So that a person reads them, `:`, `.` and `/` are as they are. */
const OTHERS = /[^A-Za-z0-9:./-]/gu;
const LONGEST = 1000;

/** The last tags are left out where they would make it too long; those of the owner come first. */
export function descriptionOf(tags: Readonly<Record<string, string>>): string {
  const isOurs = ([key]: readonly [string, string]) => key.startsWith('dstack-');
  const entries = Object.entries(tags);
  let description = '';
  for (const [key, value] of [...entries.filter(isOurs), ...entries.filter((it) => !isOurs(it))]) {
    const tag = `${escapedBytes(key, OTHERS)}=${escapedBytes(value, OTHERS)}`;
    if (description.length + tag.length < LONGEST) description = `${description} ${tag}`.trim();
  }
  return description;
}

/** Empty: the description is that of a person, or there is none. */
export function tagsIn(description: string): Readonly<Record<string, string>> {
  const tags = Object.fromEntries(
    description.split(' ').flatMap((tag) => {
      const at = tag.indexOf('=');
      return at < 0 ? [] : [[unescapedBytes(tag.slice(0, at)), unescapedBytes(tag.slice(at + 1))]];
    }),
  );
  return KEY_TAG in tags ? tags : {};
}
