/** Tags of DigitalOcean are flat texts of letters, digits, `_`, `-` and `:`: `key:value`, escaped. */

const LONGEST = 255;

/** Tags that would be too long are left out; those of the owner never are. */
export function flatTags(tags: Readonly<Record<string, string>>): string[] {
  return Object.entries(tags)
    .map(([key, value]) => `${escaped(key)}:${escaped(value)}`)
    .filter((tag) => tag.length <= LONGEST);
}

export function tagsFrom(flat: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    flat.map((tag) => {
      const at = tag.indexOf(':');
      return at < 0 ? [tag, ''] : [unescaped(tag.slice(0, at)), unescaped(tag.slice(at + 1))];
    }),
  );
}

/** Every other byte is `_` and two digits. */
function escaped(text: string): string {
  return text.replace(/[^A-Za-z0-9-]/gu, (char) =>
    [...Buffer.from(char)].map((byte) => `_${byte.toString(16).padStart(2, '0')}`).join(''),
  );
}

function unescaped(text: string): string {
  const bytes = Buffer.from(
    text.replace(/_([0-9a-f]{2})/g, (_, digits: string) =>
      String.fromCharCode(Number.parseInt(digits, 16)),
    ),
    'latin1',
  );
  return bytes.toString('utf8');
}
