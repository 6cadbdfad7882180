/** The reader's choice; `first-frame/theme.js` reads the same keys before the first paint. */
const THEME = 'dstack-theme';
const TONES = 'dstack-tones';

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

export function savedTheme(): Theme {
  return normalizeTheme(read(THEME));
}

export function normalizeTheme(name: string | null): Theme {
  return THEMES.find((theme) => theme === name) ?? 'system';
}

export function applyTheme(theme: Theme): void {
  write(THEME, theme === 'system' ? null : theme);
  const { dataset } = document.documentElement;
  if (theme === 'system') delete dataset.theme;
  else dataset.theme = theme;
}

/** Colours for readers who do not see red and green apart. */
export function hasSafeTones(): boolean {
  return read(TONES) === 'safe';
}

export function applySafeTones(on: boolean): void {
  write(TONES, on ? 'safe' : null);
  const { dataset } = document.documentElement;
  if (on) dataset.tones = 'safe';
  else delete dataset.tones;
}

function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    // Storage is switched off: the defaults apply.
    return null;
  }
}

function write(key: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // The choice then lasts until the page is closed.
  }
}
