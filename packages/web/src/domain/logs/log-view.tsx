import { useVirtualizer } from '@tanstack/react-virtual';
import { ArrowDown } from 'lucide-react';
import {
  type Ref,
  type RefObject,
  useCallback,
  useEffect,
  useImperativeHandle,
  useLayoutEffect,
  useRef,
  useState,
} from 'react';
import { classNames } from '../../ui/class-names.ts';
import { ScrollRegion } from '../../ui/panel/scroll-region.tsx';
import { preciseTime } from '../../ui/time/format-time.ts';
import { count } from '../format/quantities.ts';
import type { LogLine } from './line-reader.ts';
import { LogLineView } from './log-line-view.tsx';
import type { Hit } from './log-search.ts';
import styles from './log-view.module.css';

export interface LogViewHandle {
  readonly scrollToLine: (id: number) => void;
  readonly scrollToEnd: () => void;
}

export interface LogViewProps {
  readonly label: string;
  readonly lines: readonly LogLine[];
  readonly wrap: boolean;
  readonly numbers: boolean;
  readonly timestamps: boolean;
  /** In lower case. */
  readonly needle: string;
  readonly hit: Hit | null;
  /** Loads what lies before the first line. */
  readonly onOlder: (() => void) | null;
  readonly ref?: Ref<LogViewHandle>;
}

const LINE_HEIGHT = 20;
/** Older lines are requested when the first line is this near, in px. */
const NEAR_START = 600;

/**
 * A log of any length. It follows the end until the reader scrolls up, and then holds the line in place
 * while more arrive.
 */
export function LogView(props: LogViewProps) {
  const { label, lines, wrap, numbers, timestamps, needle, hit, onOlder, ref } = props;
  const scroller = useRef<HTMLElement>(null);
  const first = lines[0]?.id ?? 0;
  // Ids are consecutive. Another function would have the places of all lines computed again.
  const keyOf = useCallback((index: number) => first + index, [first]);
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => LINE_HEIGHT,
    getItemKey: keyOf,
    overscan: 24,
    anchorTo: 'end',
    followOnAppend: true,
    scrollEndThreshold: LINE_HEIGHT,
    paddingEnd: 8,
    paddingStart: 8,
  });
  const [seen, setSeen] = useState<number | null>(null);
  const isEmpty = lines.length === 0;
  // The first lines are shown from their end on.
  useLayoutEffect(() => {
    if (!isEmpty) virtual.scrollToEnd();
  }, [isEmpty, virtual]);
  useImperativeHandle(
    ref,
    () => ({
      scrollToLine: (id) => virtual.scrollToIndex(id - first, { align: 'center' }),
      scrollToEnd: () => virtual.scrollToEnd(),
    }),
    [virtual, first],
  );
  const follows = useFollowing(scroller, lines, virtual.scrollToEnd);
  const onScroll = () => {
    // Of the element itself: the virtualizer may still reckon with the place before this event.
    const atEnd = isAtEnd(scroller.current);
    follows.current = atEnd;
    setSeen((before) => (atEnd ? null : (before ?? lines.at(-1)?.id ?? null)));
    if (onOlder !== null && (scroller.current?.scrollTop ?? NEAR_START) < NEAR_START) onOlder();
  };
  // Lines that fill less than the window cannot be scrolled.
  useEffect(() => {
    const element = scroller.current;
    if (onOlder !== null && element && element.scrollHeight <= element.clientHeight) onOlder();
  }, [onOlder]);
  const items = virtual.getVirtualItems();
  const unseen = seen === null ? 0 : Math.max(0, (lines.at(-1)?.id ?? 0) - seen);
  return (
    <div className={styles.frame}>
      <ScrollRegion ref={scroller} label={label} className={styles.scroller} onScroll={onScroll}>
        <div style={{ height: virtual.getTotalSize() }} className={styles.space}>
          <div
            className={classNames(styles.window, wrap && styles.wrapped)}
            style={{ transform: `translateY(${items[0]?.start ?? 0}px)` }}
          >
            {items.map(({ index, key }) => {
              const line = lines[index];
              if (line === undefined) return null;
              return (
                <div
                  key={key}
                  data-index={index}
                  ref={wrap ? virtual.measureElement : undefined}
                  className={styles.line}
                >
                  {numbers ? (
                    <span className={styles.number} aria-hidden="true">
                      {line.id - first + 1}
                    </span>
                  ) : null}
                  {timestamps ? <LineTime time={line.time} /> : null}
                  <span className={styles.text}>
                    <LogLineView
                      line={line}
                      needle={needle}
                      currentHit={hit?.line === line.id ? hit.from : null}
                    />
                  </span>
                </div>
              );
            })}
          </div>
        </div>
      </ScrollRegion>
      {seen === null ? null : (
        <button type="button" className={styles.follow} onClick={() => virtual.scrollToEnd()}>
          <ArrowDown size={14} aria-hidden="true" />
          {unseen === 0 ? 'To the end' : `${count(unseen)} new line${unseen === 1 ? '' : 's'}`}
        </button>
      )}
    </div>
  );
}

/**
 * The virtualizer follows from the very end only. A window that becomes lower leaves the end out of view
 * without a scroll event, and nothing would lead back there; only scrolling by the reader may end the
 * following.
 */
function useFollowing(
  scroller: RefObject<HTMLElement | null>,
  lines: readonly LogLine[],
  scrollToEnd: () => void,
): RefObject<boolean> {
  const follows = useRef(true);
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

function isAtEnd(element: HTMLElement | null): boolean {
  if (element === null) return true;
  return element.scrollHeight - element.scrollTop - element.clientHeight <= LINE_HEIGHT;
}

/** The space separates the time from the text in what readers copy. */
function LineTime({ time }: { readonly time: number | null }) {
  if (time === null) return <span className={styles.time} />;
  const iso = new Date(time).toISOString();
  return (
    <time className={styles.time} dateTime={iso} title={iso}>
      {preciseTime(time, Date.now())}{' '}
    </time>
  );
}
