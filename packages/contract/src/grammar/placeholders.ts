/** `${{ inner }}` in a text. */
export interface Placeholder {
  /** The dollars and braces included. */
  readonly text: string;
  readonly inner: string;
  /** Written with a second dollar before it (`$${{`): it stands for itself. */
  readonly isEscaped: boolean;
  /** Where `text` begins. */
  readonly at: number;
}

/**
 * All of them from left to right. Not by a pattern: one that looks for the closing braces does so
 * again for every pair that opens, which takes seconds for a text of nothing else.
 */
export function placeholders(text: string): Placeholder[] {
  const found: Placeholder[] = [];
  let from = 0;
  for (;;) {
    const open = text.indexOf('${{', from);
    const brace = open === -1 ? -1 : text.indexOf('}', open + 3);
    // Whatever opens behind it is not closed either.
    if (brace === -1) return found;
    if (text[brace + 1] !== '}') {
      from = brace + 1;
      continue;
    }
    const isEscaped = open > from && text[open - 1] === '$';
    const at = isEscaped ? open - 1 : open;
    from = brace + 2;
    found.push({ text: text.slice(at, from), inner: text.slice(open + 3, brace), isEscaped, at });
  }
}

/** The text with something else in the place of each. */
export function replacePlaceholders(
  text: string,
  replacement: (placeholder: Placeholder) => string,
): string {
  let result = '';
  let from = 0;
  for (const placeholder of placeholders(text)) {
    result += text.slice(from, placeholder.at) + replacement(placeholder);
    from = placeholder.at + placeholder.text.length;
  }
  return result + text.slice(from);
}
