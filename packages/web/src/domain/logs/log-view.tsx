import { useVirtualizer } from '@tanstack/react-virtual';
import { ArrowDown } from 'lucide-react';
import {
  useCallback,
  useEffect,
  useImperativeHandle,
  useLayoutEffect,
  useRef,
  useState,
} from 'react';
import { classNames } from '../../ui/class-names.ts';
import { ScrollRegion } from '../../ui/panel/scroll-region.tsx';
import { count } from '../format/quantities.ts';
import { HitMap } from './hit-map-view.tsx';
import { isDense, lineIndex } from './line-list.ts';
import { LogRow } from './log-row.tsx';
import styles from './log-view.module.css';
import type { LogPosition, LogViewProps } from './log-view-props.ts';
import { type Away, isAtEnd, isLow, LINE_HEIGHT, useFollowing } from './use-following.ts';

/** Older lines are requested when the first line is this near, in px. */
const NEAR_START = 600;

const beginOf = (marked: number | null): LogPosition =>
  marked === null ? { kind: 'end' } : { kind: 'line', id: marked };

/**
 * A log of any length. It follows the end until the reader scrolls up, and then holds the line in place
 * while more arrive.
 */
export function LogView(props: LogViewProps) {
  const { label, lines, wrap, hits, onHit, onOlder, onNewer, marked, ref } = props;
  const scroller = useRef<HTMLElement>(null);
  const first = lines[0]?.id ?? 0;
  // Another function has the places of all lines computed again: for a list without gaps it stays the same.
  const sparse = isDense(lines) ? null : lines;
  const keyOf = useCallback(
    (index: number) => (sparse === null ? first + index : (sparse[index]?.id ?? index)),
    [first, sparse],
  );
  // The place of the reader goes before that of a link, which was followed before.
  const [begin] = useState(() => props.position ?? beginOf(marked));
  const startsAtEnd = begin.kind === 'end';
  const [away, setAway] = useState<Away | null>(startsAtEnd ? null : { since: null });
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => LINE_HEIGHT,
    getItemKey: keyOf,
    overscan: 24,
    anchorTo: 'end',
    followOnAppend: away === null,
    scrollEndThreshold: LINE_HEIGHT,
    paddingEnd: 8,
    paddingStart: 8,
  });
  const isEmpty = lines.length === 0;
  const scrollToLine = (id: number) =>
    virtual.scrollToIndex(lineIndex(lines, id), { align: 'center' });
  // The first lines are shown from their end on, or where a link leads.
  // biome-ignore lint/correctness/useExhaustiveDependencies: later lines change nothing about this
  useLayoutEffect(() => {
    if (isEmpty) return;
    if (begin.kind === 'end') virtual.scrollToEnd();
    else if (props.position === null) scrollToLine(begin.id);
    else virtual.scrollToIndex(lineIndex(lines, begin.id), { align: 'start' });
  }, [isEmpty, virtual]);
  // Lines before a linked line arrive later. Until the reader scrolls, the linked line stays in the middle.
  const isSettling = useRef(marked !== null && props.position === null);
  const settle = () => {
    isSettling.current = false;
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: only lines in front move it
  useLayoutEffect(() => {
    if (isSettling.current && marked !== null) scrollToLine(marked);
  }, [first]);
  // Uses the place of the element, because the range of the virtualizer may be that of an earlier drawing.
  const firstVisible = () => {
    const top = (scroller.current?.scrollTop ?? 0) + 1;
    return lines[virtual.getVirtualItemForOffset(top)?.index ?? 0] ?? null;
  };
  const follows = useFollowing(scroller, lines, virtual.scrollToEnd, startsAtEnd);
  useImperativeHandle(ref, () => ({
    scrollToLine: (id) => {
      const place = lineIndex(lines, id);
      const { startIndex = 0, endIndex = -1 } = virtual.range ?? {};
      if (place <= startIndex || place >= endIndex) scrollToLine(id);
    },
    scrollToEnd: () => {
      settle();
      virtual.scrollToEnd();
    },
    firstVisible,
    position: () => {
      const line = firstVisible();
      const isAtItsEnd = line === null || follows.current || isAtEnd(scroller.current);
      return isAtItsEnd ? { kind: 'end' } : { kind: 'line', id: line.id };
    },
  }));
  const onScroll = () => {
    // Reads the element itself, because the virtualizer may still have the place before this event.
    const atEnd = isAtEnd(scroller.current);
    follows.current = atEnd && onNewer === null;
    setAway((before) => (atEnd ? null : (before ?? { since: lines.at(-1)?.id ?? null })));
    if (atEnd) onNewer?.();
    if (onOlder !== null && (scroller.current?.scrollTop ?? NEAR_START) < NEAR_START) onOlder();
  };
  // Lines that fill less than the window cannot be scrolled, and a link may lead to the first or last line.
  useEffect(() => {
    const element = scroller.current;
    if (
      onOlder !== null &&
      element &&
      element.scrollTop < NEAR_START &&
      (isLow(element) || marked !== null)
    )
      onOlder();
    if (onNewer !== null && isAtEnd(element)) onNewer();
  }, [onOlder, onNewer, marked]);
  const items = virtual.getVirtualItems();
  const firstTime = lines.find(({ time }) => time !== null)?.time ?? null;
  const since = away?.since ?? null;
  const unseen = since === null ? 0 : Math.max(0, (lines.at(-1)?.id ?? 0) - since);
  return (
    <div className={styles.frame}>
      <ScrollRegion
        ref={scroller}
        label={label}
        className={styles.scroller}
        onScroll={onScroll}
        onWheel={settle}
        onPointerDown={settle}
        onKeyDown={settle}
      >
        <div style={{ height: virtual.getTotalSize() }} className={styles.space}>
          <div
            className={classNames(styles.window, wrap && styles.wrapped)}
            style={{ transform: `translateY(${items[0]?.start ?? 0}px)` }}
          >
            {items.map(({ index, key }) => {
              const line = lines[index];
              if (line === undefined) return null;
              return (
                <LogRow
                  {...props}
                  key={key}
                  index={index}
                  line={line}
                  first={first}
                  firstTime={firstTime}
                  measure={wrap ? virtual.measureElement : undefined}
                />
              );
            })}
          </div>
        </div>
      </ScrollRegion>
      <HitMap hits={hits} lines={lines} onHit={onHit} />
      {away === null ? null : (
        <button type="button" className={styles.follow} onClick={props.onEnd}>
          <ArrowDown size={14} aria-hidden="true" />
          {unseen === 0 ? 'To the end' : `${count(unseen)} new line${unseen === 1 ? '' : 's'}`}
        </button>
      )}
    </div>
  );
}
