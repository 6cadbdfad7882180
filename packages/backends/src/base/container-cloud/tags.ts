/** Tags of containers at providers that have none: a variable of the container, which lists show. */

/** The launcher removes it from the environment of the job. */
export const TAGS_VARIABLE = 'DSTACK_TAGS';

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
