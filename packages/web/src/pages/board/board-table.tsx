import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { BAR_LABELS, type LanedBar } from '../../domain/capacity/board-bars.ts';
import { instanceLook } from '../../domain/fleets/fleet-look.ts';
import { NameLink } from '../../domain/links/name-link.tsx';
import { ScrollRegion } from '../../ui/panel/scroll-region.tsx';
import { StatusBadge } from '../../ui/status/status-badge.tsx';
import { useTicking } from '../../ui/time/clock.ts';
import { RelativeTime } from '../../ui/time/time.tsx';
import type { BoardRowData } from './board-rows.ts';
import styles from './board-table.module.css';
import { InstanceMenuButton } from './instance-menu-button.tsx';
import { useBars } from './use-bars.ts';
import { useVisibleRows } from './use-visible-rows.ts';

interface BoardTableProps {
  readonly project: string;
  readonly rows: readonly BoardRowData[];
  readonly onMenu: (row: BoardRowData, anchor: HTMLElement) => void;
  /** The page scrolls, so that the table does not fill it. */
  readonly isFlowing: boolean;
}

/** The height of the row of an instance with one job; rows that are drawn are measured. */
const ROW = 41;
const HEAD = 36;

/** The facts of the chart as a table: a part for each instance, a row for each job and each run that waits. */
export function BoardTable({ project, rows, onMenu, isFlowing }: BoardTableProps) {
  const { scroller, virtual } = useVisibleRows(rows, { row: ROW, top: HEAD });
  const items = virtual.getVirtualItems();
  const above = (items[0]?.start ?? HEAD) - HEAD;
  const below = virtual.getTotalSize() - ((items.at(-1)?.end ?? HEAD) - HEAD);
  return (
    <ScrollRegion
      ref={scroller}
      label="Instances over time"
      className={styles.scroller}
      data-flowing={isFlowing || undefined}
    >
      <table aria-label="Capacity" className={styles.table}>
        <thead>
          <tr>
            {HEADINGS.map((heading) => (
              <th key={heading} scope="col">
                {heading}
              </th>
            ))}
          </tr>
        </thead>
        <Spacer height={above} />
        {items.map(({ index, key }) => {
          const row = rows[index];
          return row === undefined ? null : (
            <InstancePart
              key={key}
              {...{ project, row, index, onMenu }}
              measure={virtual.measureElement}
            />
          );
        })}
        <Spacer height={below} />
      </table>
    </ScrollRegion>
  );
}

const MINUTE = 60_000;

const HEADINGS = ['Instance', 'State', 'Run', 'Of', 'Blocks', 'From', 'Until'] as const;

function Spacer({ height }: { readonly height: number }) {
  if (height <= 0) return null;
  return (
    <tbody aria-hidden="true">
      <tr>
        <td colSpan={HEADINGS.length} style={{ height, padding: 0 }} />
      </tr>
    </tbody>
  );
}

interface InstancePartProps {
  readonly project: string;
  readonly row: BoardRowData;
  readonly index: number;
  readonly onMenu: (row: BoardRowData, anchor: HTMLElement) => void;
  readonly measure: (element: HTMLElement | null) => void;
}

function InstancePart({ project, row, index, onMenu, measure }: InstancePartProps) {
  const { instance } = row;
  const now = useTicking((time) => Math.floor(time / MINUTE) * MINUTE);
  const { bars, total, problem } = useBars(project, row, now);
  const [first, ...others] = bars;
  const note = problem ?? (first === undefined ? 'Free' : null);
  const lines = others.length + (first === undefined ? 0 : 1) + (note === null ? 0 : 1);
  const head = (
    <th scope="rowgroup" rowSpan={lines} className={styles.name}>
      <span className={styles.nameLine}>
        <NameLink
          to="/projects/$project/instances/$instance"
          params={{ project: instance.project_name, instance: instance.id }}
        >
          {instance.name}
        </NameLink>
        <InstanceMenuButton {...{ row, onMenu }} />
      </span>
      <StatusBadge look={instanceLook(instance)} />
    </th>
  );
  return (
    <tbody ref={measure} data-index={index}>
      {note === null ? null : (
        <tr>
          {head}
          <td colSpan={HEADINGS.length - 1} className={styles.note}>
            {note}
          </td>
        </tr>
      )}
      {bars.map((bar, place) => (
        <tr key={bar.key}>
          {note === null && place === 0 ? head : null}
          <BarCells bar={bar} total={total} />
        </tr>
      ))}
    </tbody>
  );
}

function BarCells({ bar, total }: { readonly bar: LanedBar; readonly total: number }) {
  const { kind, run, name, user, project, blocks, from, to } = bar;
  const of = [user, project].filter((part) => part !== null).join(' in ');
  return (
    <>
      <td>
        <span className={styles.state} data-kind={kind}>
          {BAR_LABELS[kind]}
        </span>
      </td>
      <td>
        {run === null ? (
          name
        ) : (
          <Link to="/projects/$project/runs/$run" params={run} className={styles.run}>
            <bdi>{name}</bdi>
          </Link>
        )}
      </td>
      <td>{of === '' ? '–' : <bdi>{of}</bdi>}</td>
      <td>{`${blocks} of ${total}`}</td>
      <td>{timeCell(from, kind === 'expected')}</td>
      <td>{to === null ? 'not known' : timeCell(to, kind === 'expected')}</td>
    </>
  );
}

const timeCell = (time: number, isAbout: boolean): ReactNode => (
  <>
    {isAbout ? 'about ' : null}
    <RelativeTime at={new Date(time).toISOString()} />
  </>
);
