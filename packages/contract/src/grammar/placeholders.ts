/** `${{ inner }}` in a text. */
export interface Placeholder {
  /** The dollars and braces included. */
  readonly text: string;
  readonly inner: string;
  /** Preceded by a second dollar (`$${{`): it is text, not a placeholder. */
  readonly isEscaped: boolean;
  /** The position of `text`. */
  readonly at: number;
}

/**
 * All placeholders, from left to right. A regular expression would search for the closing braces
 * again at each opening pair, which takes quadratic time: seconds for a text of nothing but `${{`.
 */
export function placeholders(text: string): Placeholder[] {
  const found: Placeholder[] = [];
  let from = 0;
  for (;;) {
    const open = text.indexOf('${{', from);
    const brace = open === -1 ? -1 : text.indexOf('}', open + 3);
    // No later placeholder is closed either.
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

/** The text with each placeholder replaced. */
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
