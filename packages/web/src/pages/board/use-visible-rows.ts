import { useVirtualizer } from '@tanstack/react-virtual';
import { useRef } from 'react';
import type { BoardRowData } from './board-rows.ts';

interface Heights {
  /** The height of a row in px, also of one that is measured later. */
  readonly row: number;
  /** The height of what stays on top while rows scroll below it. */
  readonly top: number;
}

/** Which rows are near the visible part of `scroller`, so that only these are drawn. */
export function useVisibleRows(rows: readonly BoardRowData[], { row, top }: Heights) {
  const scroller = useRef<HTMLElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => row,
    getItemKey: (index) => rows[index]?.instance.id ?? index,
    overscan: 6,
    scrollMargin: top,
    scrollPaddingStart: top,
    useFlushSync: false,
  });
  return { scroller, virtual };
}
