/** Styles by meaning; their escape codes are defined in one place. */
export type Style =
  | 'plain'
  | 'bold'
  | 'dim'
  | 'secondary'
  | 'success'
  | 'warning'
  | 'error'
  | 'code'
  | 'progress'
  | 'progress-bold'
  | 'good'
  | 'good-bold'
  | 'bad'
  | 'bad-bold'
  | 'gold';

/**
 * Each colour has a contrast of 3.3:1 or more on black and on white: a program cannot know the
 * background. They are fixed ones of the 256-colour palette, since terminals redefine the first 16.
 */
export const CODES: Readonly<Record<Style, string>> = {
  plain: '',
  bold: '1',
  dim: '2',
  secondary: '38;5;243',
  success: '38;5;29',
  warning: '38;5;136',
  error: '38;5;167',
  code: '1;38;5;29',
  progress: '38;5;32',
  'progress-bold': '1;38;5;32',
  good: '38;5;29',
  'good-bold': '1;38;5;29',
  bad: '38;5;167',
  'bad-bold': '1;38;5;167',
  gold: '38;5;136',
};

/**
 * Marks a text as styled. `styledText` replaces the mark by the escape code when the text is
 * printed; no value from outside can contain the mark.
 */
export type Paint = (style: Style, text: string) => string;

/** Random, so that values from outside cannot contain it. */
const NONCE = Math.random().toString(36).slice(2);

const MARK = (code: string): string => `\u001b${NONCE}[${code}m`;

/** Matches the marks of `painter`; the code is in the first group. */
export const STYLE_MARK = `\\u001b${NONCE}\\[([\\d;]+)m`;

export function painter(colour: boolean): Paint {
  if (!colour) return (_style, text) => text;
  return (style, text) => {
    const code = CODES[style];
    return code === '' || text === '' ? text : `${MARK(code)}${text}${MARK('0')}`;
  };
}

/** Decides whether a stream gets colour; `mode` is `--color`. */
export function wantsColour(
  mode: 'auto' | 'always' | 'never',
  isTerminal: boolean,
  env: Readonly<Record<string, string | undefined>>,
): boolean {
  if (mode !== 'auto') return mode === 'always';
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR && env.FORCE_COLOR !== '0') return true;
  return isTerminal && env.TERM !== 'dumb';
}
