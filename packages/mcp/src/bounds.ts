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

/** The beginning of a text that is read from its beginning, such as an error. */
export function firstPart(text: string, most = MOST_CHARACTERS): string {
  if (text.length <= most) return text;
  return `${text.slice(0, most)}\n[${text.length - most} characters after this were left out]`;
}

/** Characters of one line of output: a single one must not take the place of all others. */
const LONGEST_LINE = 4000;

export function firstPartOfLine(line: string): string {
  if (line.length <= LONGEST_LINE) return line;
  return `${line.slice(0, LONGEST_LINE)}… [the rest of the line was left out]`;
}

/** The last lines that fit into an answer. */
export function lastLinesThatFit(lines: readonly string[], most = MOST_CHARACTERS): string[] {
  let characters = 0;
  let start = lines.length;
  while (start > 0) {
    characters += (lines[start - 1] ?? '').length + 1;
    if (characters > most) break;
    start -= 1;
  }
  return lines.slice(start);
}

/** The first `most` entries, and the number of the others. */
export function firstOf<T>(
  entries: readonly T[],
  most: number,
): { readonly shown: T[]; readonly left_out: number } {
  return { shown: entries.slice(0, most), left_out: Math.max(0, entries.length - most) };
}

/** Characters of one value in an answer's data. */
const LONGEST_VALUE = 4000;

/** Entries of one list, and keys of one map, in an answer's data. */
const MOST_ENTRIES = 100;

/** A value without the ends of its long texts, lists and maps; what is missing is counted in its place. */
export function bounded(value: unknown): unknown {
  if (typeof value === 'string') return firstPart(value, LONGEST_VALUE);
  if (Array.isArray(value)) {
    const { shown, left_out } = firstOf(value, MOST_ENTRIES);
    return [...shown.map(bounded), ...(left_out > 0 ? [`[${left_out} entries left out]`] : [])];
  }
  if (value === null || typeof value !== 'object') return value;
  const { shown, left_out } = firstOf(Object.entries(value), MOST_ENTRIES);
  const note = left_out > 0 ? [['left_out', `${left_out} keys`]] : [];
  return Object.fromEntries([...shown.map(([key, part]) => [key, bounded(part)]), ...note]);
}
