/** Limits of answers: models read all of them, and pay for every character. */

/** Characters of one text in an answer. */
export const MOST_CHARACTERS = 40_000;

/** The last `most` characters, from the beginning of a line, with a note of what was left out. */
export function lastPart(text: string, most = MOST_CHARACTERS): string {
  if (text.length <= most) return text;
  const cut = text.slice(text.length - most);
  const lineEnd = cut.indexOf('\n');
  const whole = lineEnd < 0 || lineEnd === cut.length - 1 ? cut : cut.slice(lineEnd + 1);
  return `[${text.length - whole.length} characters before this were left out]\n${whole}`;
}

/** The first `most` entries, and the number of the others. */
export function firstOf<T>(
  entries: readonly T[],
  most: number,
): { readonly shown: T[]; readonly left_out: number } {
  return { shown: entries.slice(0, most), left_out: Math.max(0, entries.length - most) };
}
