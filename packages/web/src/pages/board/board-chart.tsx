import { type CSSProperties, type KeyboardEvent, useMemo } from 'react';
import { BAR_LABELS, type BarKind } from '../../domain/capacity/board-bars.ts';
import { type Horizon, paceOf, type TimeAxis, timeAxis } from '../../domain/capacity/time-axis.ts';
import { ScrollRegion } from '../../ui/panel/scroll-region.tsx';
import { useNarrow } from '../../ui/table/use-narrow.ts';
import { useTicking } from '../../ui/time/clock.ts';
import styles from './board.module.css';
import { BoardRow } from './board-row.tsx';
import type { BoardRowData } from './board-rows.ts';
import { boardStep } from './board-step.ts';
import { useVisibleRows } from './use-visible-rows.ts';

export interface BoardChartProps {
  readonly project: string;
  readonly rows: readonly BoardRowData[];
  readonly horizon: Horizon;
  readonly onMenu: (row: BoardRowData, anchor: HTMLElement) => void;
  /** The page scrolls, so that the chart does not fill it. */
  readonly isFlowing: boolean;
}

/** Heights in px; the scale stays on top while rows scroll below it. */
const ROW = 44;
const NARROW_ROW = 76;
const SCALE = 32;

/** Instances over time. It draws only the rows that are visible, and only those ask for their jobs. */
export function BoardChart(props: BoardChartProps) {
  const narrow = useNarrow();
  return <VirtualChart key={String(narrow)} {...props} height={narrow ? NARROW_ROW : ROW} />;
}

function VirtualChart(props: BoardChartProps & { readonly height: number }) {
  const { project, rows, horizon, onMenu, isFlowing, height } = props;
  const pace = paceOf(horizon);
  const now = useTicking((time) => Math.floor(time / pace) * pace);
  const axis = useMemo(() => {
    const offset = -new Date(now).getTimezoneOffset() * 60_000;
    return timeAxis(now, horizon, offset);
  }, [now, horizon]);
  const { scroller, virtual } = useVisibleRows(rows, { row: height, top: SCALE });
  const items = virtual.getVirtualItems();
  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target as HTMLElement;
    const row = target.closest<HTMLElement>('[data-index]');
    if (row === null) return;
    if (event.key === '.') {
      event.preventDefault();
      row.querySelector<HTMLElement>('[data-row-menu]')?.click();
      return;
    }
    const stops = stopsOf(row);
    const place = { row: Number(row.dataset.index), stop: stops.indexOf(target) };
    const next = boardStep(event.key, place, { rows: rows.length, stops: stops.length });
    if (next === null) return;
    event.preventDefault();
    const board = event.currentTarget;
    virtual.scrollToIndex(next.row);
    if (focusStop(board, next)) return;
    // The row has to be drawn first.
    requestAnimationFrame(() => focusStop(board, next));
  };
  return (
    <ScrollRegion
      ref={scroller}
      label="Instances over time"
      className={styles.scroller}
      data-flowing={isFlowing || undefined}
      style={gridOf(axis, now)}
      onKeyDown={onKeyDown}
    >
      <Scale axis={axis} horizon={horizon} />
      <div className={styles.rows} style={{ height: virtual.getTotalSize() }}>
        <ol
          aria-label="Instances"
          className={styles.window}
          style={{ transform: `translateY(${(items[0]?.start ?? SCALE) - SCALE}px)` }}
        >
          {items.map(({ index, key }) => {
            const row = rows[index];
            return row === undefined ? null : (
              <BoardRow key={key} {...{ project, row, index, axis, now, onMenu }} />
            );
          })}
        </ol>
      </div>
    </ScrollRegion>
  );
}

const stopsOf = (row: HTMLElement): HTMLElement[] => [
  ...row.querySelectorAll<HTMLElement>('[data-stop]'),
];

function focusStop(
  board: HTMLElement,
  { row, stop }: { readonly row: number; readonly stop: number },
): boolean {
  const found = board.querySelector<HTMLElement>(`[data-index="${row}"]`);
  const stops = found === null ? [] : stopsOf(found);
  stops[Math.min(stop, stops.length - 1)]?.focus();
  return stops.length > 0;
}

/** The lines of ticks and of the present, which all rows share. */
function gridOf({ ticks, at }: TimeAxis, now: number): CSSProperties {
  const line = (place: number, color: string) =>
    `linear-gradient(${color}, ${color}) ${place * 100}% 0 / 1px 100% no-repeat`;
  const lines = ticks.map(({ place }) => line(place, 'var(--border)'));
  return { '--grid': lines.join(', ') || 'none', '--now': `${at(now) * 100}%` } as CSSProperties;
}

const CLOCK = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });

function Scale({ axis, horizon }: { readonly axis: TimeAxis; readonly horizon: Horizon }) {
  return (
    <div className={styles.scale} aria-hidden="true">
      <span className={styles.corner}>{`${horizon} h ahead`}</span>
      <div className={styles.ticks}>
        {axis.ticks.map(({ time, place }) => (
          <span
            key={time}
            className={styles.tick}
            data-last={place > LAST || undefined}
            style={{ left: `${place * 100}%` }}
          >
            {CLOCK.format(time)}
          </span>
        ))}
        <span className={styles.now}>now</span>
      </div>
    </div>
  );
}

/** A label behind it would be cut off. */
const LAST = 0.95;

/** The meanings of the colours; the text of each bar has its meaning too. */
export function BoardLegend(props: { readonly isTrying: boolean; readonly hasWindows: boolean }) {
  const { isTrying, hasWindows } = props;
  const kinds = (Object.keys(BAR_LABELS) as BarKind[]).filter(
    (kind) => (isTrying || kind !== 'tried') && (hasWindows || kind !== 'maintenance'),
  );
  return (
    <ul className={styles.legend} aria-label="Colours">
      {kinds.map((kind) => (
        <li key={kind} className={styles.key}>
          <span className={styles.swatch} data-kind={kind} />
          {BAR_LABELS[kind]}
        </li>
      ))}
    </ul>
  );
}
