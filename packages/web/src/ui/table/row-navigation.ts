import type { KeyboardEvent } from 'react';

interface Scrollable {
  scrollToIndex(index: number): void;
}

/** The attribute of the element of a row that takes the focus: its main link or its checkbox. */
export const ROW_FOCUS = 'data-row-focus';

const STEPS: Readonly<Record<string, number>> = { j: 1, k: -1, ArrowDown: 1, ArrowUp: -1 };

/** Moves the focus between rows, to the same kind of element, and scrolls where needed; `x` selects, `.` opens the menu. */
export function rowNavigation(virtual: Scrollable, count: number) {
  return (event: KeyboardEvent<HTMLElement>): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target as HTMLElement;
    const row = target.closest<HTMLElement>('[data-index]');
    if (event.key === 'x' && row !== null) {
      row.querySelector<HTMLElement>('input[type="checkbox"]')?.click();
      event.preventDefault();
      return;
    }
    const action = row && actionFor(row, event.key);
    if (action) {
      event.preventDefault();
      action.click();
      return;
    }
    const index = Number(row?.dataset.index ?? -1);
    const next = nextIndex(event.key, index, count);
    if (next === null) return;
    event.preventDefault();
    virtual.scrollToIndex(next);
    const table = event.currentTarget;
    // The row may have to be drawn first.
    requestAnimationFrame(() => focusRow(table, next));
  };
}

/** The button of the row that a key presses: `.` opens its menu. */
function actionFor(row: HTMLElement, key: string): HTMLElement | null {
  if (key === '.') return row.querySelector<HTMLElement>('[data-row-menu]');
  const buttons = [...row.querySelectorAll<HTMLElement>('[data-row-keys]')];
  return buttons.find(({ dataset }) => dataset.rowKeys === key) ?? null;
}

/** The row to move to; null if the key does not move. */
export function nextIndex(key: string, index: number, count: number): number | null {
  if (index < 0 || count === 0) return null;
  if (key === 'Home') return 0;
  if (key === 'End') return count - 1;
  const step = STEPS[key];
  if (step === undefined) return null;
  return Math.min(count - 1, Math.max(0, index + step));
}

function focusRow(table: HTMLElement, index: number): void {
  table.querySelector<HTMLElement>(`[data-index="${index}"] [${ROW_FOCUS}]`)?.focus();
}
