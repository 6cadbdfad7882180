import type { KeyboardEvent } from 'react';

interface Scrollable {
  scrollToIndex(index: number): void;
}

/** The attribute of the element of a row that takes the focus: its main link or its checkbox. */
export const ROW_FOCUS = 'data-row-focus';

const STEPS: Readonly<Record<string, number>> = { j: 1, k: -1, ArrowDown: 1, ArrowUp: -1 };

/** Moves the focus between rows, to the same kind of element, and scrolls where needed; `x` selects, `.` opens the menu. */
export function rowNavigation(
  virtual: Scrollable,
  count: number,
  /** Others are headings of groups. */
  isRow: (index: number) => boolean = () => true,
) {
  return (event: KeyboardEvent<HTMLElement>): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    // The focus is on the table itself, whose own scrolling by keys goes on.
    if (event.target === event.currentTarget) return;
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
    const next = nextIndex(event.key, index, count, isRow);
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
export function nextIndex(
  key: string,
  index: number,
  count: number,
  isRow: (index: number) => boolean = () => true,
): number | null {
  if (index < 0 || count === 0) return null;
  const rowFrom = (start: number, step: number): number | null => {
    for (let at = start; at >= 0 && at < count; at += step) if (isRow(at)) return at;
    return null;
  };
  if (key === 'Home') return rowFrom(0, 1);
  if (key === 'End') return rowFrom(count - 1, -1);
  const step = STEPS[key];
  return step === undefined ? null : (rowFrom(index + step, step) ?? index);
}

function focusRow(table: HTMLElement, index: number): void {
  table.querySelector<HTMLElement>(`[data-index="${index}"] [${ROW_FOCUS}]`)?.focus();
}
