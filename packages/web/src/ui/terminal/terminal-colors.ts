import type { ITheme } from '@xterm/xterm';

const NAMES = [
  'black',
  'red',
  'green',
  'yellow',
  'blue',
  'magenta',
  'cyan',
  'white',
  'brightBlack',
  'brightRed',
  'brightGreen',
  'brightYellow',
  'brightBlue',
  'brightMagenta',
  'brightCyan',
  'brightWhite',
] as const;

/** The tokens of the present theme as the library wants them: colours that a canvas can read. */
export function terminalColors(element: HTMLElement): ITheme {
  const probe = document.createElement('span');
  element.append(probe);
  const color = (token: string): string => {
    probe.style.color = `var(${token})`;
    return getComputedStyle(probe).color;
  };
  const ansi = Object.fromEntries(NAMES.map((name, index) => [name, color(`--ansi-${index}`)]));
  const theme = {
    ...ansi,
    background: color('--surface'),
    foreground: color('--text'),
    cursor: color('--text'),
    cursorAccent: color('--surface'),
    selectionBackground: color('--accent-tint'),
    selectionInactiveBackground: color('--surface-active'),
    scrollbarSliderBackground: color('--border'),
    scrollbarSliderHoverBackground: color('--border-strong'),
    scrollbarSliderActiveBackground: color('--border-strong'),
  };
  probe.remove();
  return theme;
}
