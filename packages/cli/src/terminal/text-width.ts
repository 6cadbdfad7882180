/** Matches styles, before and after they are printed. */
const ESCAPES = /\u001b[0-9a-z]*\[[0-9;]*m/g;

/** Number of terminal columns of a text: escapes take none, wide characters (CJK, emoji) two. */
export function textWidth(text: string): number {
  let width = 0;
  for (const char of text.replace(ESCAPES, '')) width += charWidth(char.codePointAt(0) ?? 0);
  return width;
}

function charWidth(code: number): number {
  if (code < 0x300) return 1;
  if ((code >= 0x300 && code <= 0x36f) || code === 0x200d || (code >= 0xfe00 && code <= 0xfe0f)) {
    return 0;
  }
  const wide =
    (code >= 0x1100 && code <= 0x115f) ||
    (code >= 0x2e80 && code <= 0xa4cf) ||
    (code >= 0xac00 && code <= 0xd7a3) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xfe30 && code <= 0xfe6f) ||
    (code >= 0xff00 && code <= 0xff60) ||
    (code >= 0xffe0 && code <= 0xffe6) ||
    (code >= 0x1f300 && code <= 0x1faff) ||
    (code >= 0x20000 && code <= 0x3fffd);
  return wide ? 2 : 1;
}

/** Wraps text at blanks so that no line is wider than `width`; longer words stay whole. */
export function wrapText(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const paragraph of text.split('\n')) {
    let line = '';
    for (const word of paragraph.split(' ')) {
      if (line === '') line = word;
      else if (textWidth(line) + 1 + textWidth(word) <= width) line += ` ${word}`;
      else {
        lines.push(line);
        line = word;
      }
    }
    lines.push(line);
  }
  return lines;
}

/** Width of the longest word: the minimum width of a wrapped column. */
export function longestWord(text: string): number {
  return Math.max(0, ...text.split(/[ \n]/).map(textWidth));
}

/**
 * The text in lines that fit the terminal, with further lines below the first: `indent` is its
 * column. If that leaves hardly any room, all lines begin further left, below what stands there.
 * Without a terminal (null), and in very narrow ones, nothing is wrapped.
 */
export function hangingText(text: string, indent: number, width: number | null): string {
  const isNarrow = width !== null && width - indent < NARROWEST;
  if (isNarrow && indent > BELOW && width - BELOW >= NARROWEST) {
    if (!text.includes('\n') && textWidth(text) <= width - indent) return text;
    const start = `\n${' '.repeat(BELOW)}`;
    return start + wrapText(text, width - BELOW).join(start);
  }
  const lines = width === null || isNarrow ? text.split('\n') : wrapText(text, width - indent);
  return lines.join(`\n${' '.repeat(indent)}`);
}

/** Indentation of text that has no room beside what it belongs to. */
const BELOW = 4;

/** Fewer columns than these hardly fit one word. */
const NARROWEST = 20;
