import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef } from 'react';

export const LINE_HEIGHT = 20;

/** The reader is not at the end. `since`: the last line then; null: no line is a new one. */
export interface Away {
  readonly since: number | null;
}

/**
 * The virtualizer follows from the very end only. A window that becomes lower leaves the end out of view
 * without a scroll event, and nothing would lead back there; only scrolling by the reader may end the
 * following.
 */
export function useFollowing(
  scroller: RefObject<HTMLElement | null>,
  lines: readonly unknown[],
  scrollToEnd: () => void,
  startsAtEnd: boolean,
): RefObject<boolean> {
  const follows = useRef(startsAtEnd);
  const keepEnd = useCallback(() => {
    if (follows.current && !isAtEnd(scroller.current)) scrollToEnd();
  }, [scroller, scrollToEnd]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each new line moves the end
  useLayoutEffect(keepEnd, [keepEnd, lines]);
  useEffect(() => {
    if (scroller.current === null) return;
    const observer = new ResizeObserver(keepEnd);
    observer.observe(scroller.current);
    return () => observer.disconnect();
  }, [scroller, keepEnd]);
  return follows;
}

export function isAtEnd(element: HTMLElement | null): boolean {
  if (element === null) return true;
  return element.scrollHeight - element.scrollTop - element.clientHeight <= LINE_HEIGHT;
}

/** Nothing can be scrolled. */
export function isLow(element: HTMLElement): boolean {
  return element.scrollHeight <= element.clientHeight;
}
