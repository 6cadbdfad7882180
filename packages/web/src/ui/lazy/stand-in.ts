import type { KeyboardEvent } from 'react';

const OPENING_KEYS: ReadonlySet<string> = new Set(['ArrowDown', 'ArrowUp']);

/** The properties of a button that stands in for that of a popup whose code is not loaded yet. */
export function standInProps(popup: 'menu' | 'listbox', preload: () => void, open: () => void) {
  return {
    'aria-haspopup': popup,
    'aria-expanded': false,
    onPointerEnter: preload,
    onFocus: preload,
    onClick: open,
    onKeyDown(event: KeyboardEvent) {
      if (!OPENING_KEYS.has(event.key)) return;
      event.preventDefault();
      open();
    },
  } as const;
}
