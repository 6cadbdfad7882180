/** Tags of things that Google gives no labels, or not at once: in their description, as JSON. */
export function tagsInDescription(description = ''): Readonly<Record<string, string>> {
  try {
    const tags: unknown = JSON.parse(description);
    if (typeof tags === 'object' && tags !== null) return tags as Readonly<Record<string, string>>;
  } catch {
    // The text is no JSON, so dstack did not write it.
  }
  return {};
}
