/** Tags of containers at providers that have none: variables of the container, which lists show. */

export const TAGS_VARIABLE = 'DSTACK_TAGS';

/** For providers that take short values only. The launcher removes all of them from the environment of the job. */
export const TAGS_VARIABLES = [
  TAGS_VARIABLE,
  ...[2, 3, 4].map((part) => `${TAGS_VARIABLE}_${part}`),
];

const PART_LENGTH = 240;

export const tagsAsVariable = (tags: Readonly<Record<string, string>>): string =>
  JSON.stringify(tags);

/** Empty: dstack has not made the container. */
export function tagsFromVariable(value: string | undefined): Readonly<Record<string, string>> {
  if (value === undefined) return {};
  try {
    const found: unknown = JSON.parse(value);
    if (typeof found !== 'object' || found === null) return {};
    const texts = Object.entries(found).filter(([, text]) => typeof text === 'string');
    return Object.fromEntries(texts) as Readonly<Record<string, string>>;
  } catch {
    return {};
  }
}

/** In letters, digits, `-` and `_` only, of which each value has 240 at most; null = the tags are too long. */
export function tagsAsVariables(
  tags: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> | null {
  const text = Buffer.from(tagsAsVariable(tags)).toString('base64url');
  const parts = text.match(new RegExp(`.{1,${PART_LENGTH}}`, 'g')) ?? [];
  if (parts.length > TAGS_VARIABLES.length) return null;
  return Object.fromEntries(parts.map((part, index) => [TAGS_VARIABLES[index] ?? '', part]));
}

/** Empty: dstack has not made the container. */
export function tagsFromVariables(
  environment: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const text = TAGS_VARIABLES.map((name) => environment[name] ?? '').join('');
  return tagsFromVariable(Buffer.from(text, 'base64url').toString());
}
