/** Looks by meaning; what they are in escape codes is decided in one place. */
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

/** 256-colour codes of the reference's theme (deep_sky_blue1, sea_green3, indian_red1, gold1 …). */
const CODES: Readonly<Record<Style, string>> = {
  plain: '',
  bold: '1',
  dim: '2',
  secondary: '38;5;245',
  success: '32',
  warning: '33',
  error: '31',
  code: '1;38;5;78',
  progress: '38;5;39',
  'progress-bold': '1;38;5;39',
  good: '38;5;78',
  'good-bold': '1;38;5;78',
  bad: '38;5;203',
  'bad-bold': '1;38;5;203',
  gold: '38;5;220',
};

/** Wraps text in a style, or leaves it alone where colour is off. */
export type Paint = (style: Style, text: string) => string;

export function painter(colour: boolean): Paint {
  if (!colour) return (_style, text) => text;
  return (style, text) => {
    const code = CODES[style];
    return code === '' || text === '' ? text : `\u001b[${code}m${text}\u001b[0m`;
  };
}

/** What decides whether a stream gets colour; `mode` is `--color`. */
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
