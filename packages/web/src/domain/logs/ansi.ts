/**
 * Colours of terminals. Everything a job prints is untrusted: the result is plain text with a few styles,
 * never markup, and all other control sequences are removed.
 */

/** `null`: the default; 0..15: the palette; `#rrggbb`. */
export type AnsiColor = number | string | null;

export interface AnsiStyle {
  readonly fg: AnsiColor;
  readonly bg: AnsiColor;
  readonly bold: boolean;
  readonly dim: boolean;
  readonly italic: boolean;
  readonly underline: boolean;
  readonly inverse: boolean;
  readonly strike: boolean;
}

export interface AnsiSpan {
  readonly text: string;
  readonly style: AnsiStyle;
}

export const PLAIN: AnsiStyle = {
  fg: null,
  bg: null,
  bold: false,
  dim: false,
  italic: false,
  underline: false,
  inverse: false,
  strike: false,
};

/**
 * One control sequence: `ESC [ … letter`, a text of the operating system up to its end, any other
 * sequence that begins with ESC, or a single control character.
 */
const CONTROL =
  /\x1b\[([0-9;:?<=>]{0,64})[ -/]{0,4}([@-~])|\x1b[\]PX^_][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)?|\x1b[ -/]{0,4}[0-~]?|[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

/** The text in spans of one style each, and the style after it. */
export function parseAnsi(
  text: string,
  start: AnsiStyle = PLAIN,
): { readonly spans: readonly AnsiSpan[]; readonly end: AnsiStyle } {
  if (!hasControls(text)) return { spans: text === '' ? [] : [{ text, style: start }], end: start };
  const spans: AnsiSpan[] = [];
  let style = start;
  let from = 0;
  const add = (to: number) => {
    if (to > from) spans.push({ text: text.slice(from, to), style });
  };
  for (const match of text.matchAll(CONTROL)) {
    add(match.index);
    from = match.index + match[0].length;
    if (match[2] === 'm') style = applySgr(style, match[1] ?? '');
  }
  add(text.length);
  return { spans, end: style };
}

/** The text without any control sequence. */
export function withoutControls(text: string): string {
  return hasControls(text) ? text.replace(CONTROL, '') : text;
}

/** The style after the text, without making spans. */
export function styleAfter(text: string, start: AnsiStyle): AnsiStyle {
  if (!text.includes('\x1b')) return start;
  let style = start;
  for (const match of text.matchAll(CONTROL)) {
    if (match[2] === 'm') style = applySgr(style, match[1] ?? '');
  }
  return style;
}

const ANY_CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/;

const hasControls = (text: string): boolean => ANY_CONTROL.test(text);

function applySgr(style: AnsiStyle, parameters: string): AnsiStyle {
  const codes = parameters.split(/[;:]/).map((code) => (code === '' ? 0 : Number(code)));
  let next = style;
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at] ?? 0;
    if (code === 38 || code === 48) {
      const { color, used } = extendedColor(codes, at + 1);
      next = { ...next, [code === 38 ? 'fg' : 'bg']: color };
      at += used;
    } else {
      next = applyCode(next, code);
    }
  }
  return next;
}

function applyCode(style: AnsiStyle, code: number): AnsiStyle {
  if (code === 0) return PLAIN;
  if (code >= 30 && code <= 37) return { ...style, fg: code - 30 };
  if (code >= 40 && code <= 47) return { ...style, bg: code - 40 };
  if (code >= 90 && code <= 97) return { ...style, fg: code - 82 };
  if (code >= 100 && code <= 107) return { ...style, bg: code - 92 };
  const change = SWITCHES[code];
  return change === undefined ? style : { ...style, ...change };
}

const SWITCHES: Readonly<Record<number, Partial<AnsiStyle>>> = {
  1: { bold: true },
  2: { dim: true },
  3: { italic: true },
  4: { underline: true },
  7: { inverse: true },
  9: { strike: true },
  22: { bold: false, dim: false },
  23: { italic: false },
  24: { underline: false },
  27: { inverse: false },
  29: { strike: false },
  39: { fg: null },
  49: { bg: null },
};

/** `5;n` or `2;r;g;b` from `at` on; `used`: the number of codes. */
function extendedColor(
  codes: readonly number[],
  at: number,
): { readonly color: AnsiColor; readonly used: number } {
  if (codes[at] === 5) return { color: paletteColor(codes[at + 1] ?? 0), used: 2 };
  if (codes[at] === 2) {
    const [r = 0, g = 0, b = 0] = codes.slice(at + 1, at + 4);
    return { color: hex(r, g, b), used: 4 };
  }
  return { color: null, used: 0 };
}

/** The 256 colours: 16 of the theme, a cube of 6 × 6 × 6, 24 greys. */
function paletteColor(index: number): AnsiColor {
  if (!(index >= 0 && index <= 255)) return null;
  if (index < 16) return index;
  if (index >= 232) {
    const grey = 8 + (index - 232) * 10;
    return hex(grey, grey, grey);
  }
  const cube = index - 16;
  const level = (value: number) => (value === 0 ? 0 : 55 + value * 40);
  return hex(level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6));
}

function hex(...parts: readonly number[]): string {
  const two = (part: number) =>
    Math.min(255, Math.max(0, part | 0))
      .toString(16)
      .padStart(2, '0');
  return `#${parts.map(two).join('')}`;
}
