import { Link } from '@tanstack/react-router';
import { memo } from 'react';
import {
  BAR_LABELS,
  barSubject,
  barTimes,
  type LanedBar,
} from '../../domain/capacity/board-bars.ts';
import type { TimeAxis } from '../../domain/capacity/time-axis.ts';
import { instanceLook } from '../../domain/fleets/fleet-look.ts';
import { gpuText } from '../../domain/format/resources.ts';
import { NameLink } from '../../domain/links/name-link.tsx';
import { StatusBadge } from '../../ui/status/status-badge.tsx';
import { absoluteTime, relativeTimeText } from '../../ui/time/format-time.ts';
import styles from './board.module.css';
import type { BoardRowData } from './board-rows.ts';
import { InstanceMenuButton } from './instance-menu-button.tsx';
import { useBars } from './use-bars.ts';

interface BoardRowProps {
  readonly project: string;
  readonly row: BoardRowData;
  readonly index: number;
  readonly axis: TimeAxis;
  readonly now: number;
  /** Opens the menu of the instance at this element. */
  readonly onMenu: (row: BoardRowData, anchor: HTMLElement) => void;
}

/** An instance with its jobs and what waits for it, over time. */
export const BoardRow = memo(function BoardRow(props: BoardRowProps) {
  const { project, row, index, axis, now, onMenu } = props;
  const { instance } = row;
  const { bars, total, problem, isLoading } = useBars(project, row, now);
  const gpus = instance.instance_type ? gpuText(instance.instance_type.resources) : '';
  return (
    <li className={styles.row} data-index={index} data-tried={row.tried.length > 0 || undefined}>
      <div className={styles.name}>
        <span className={styles.nameLine}>
          <NameLink
            to="/projects/$project/instances/$instance"
            params={{ project: instance.project_name, instance: instance.id }}
            data-stop=""
          >
            {instance.name}
          </NameLink>
          <span className={styles.gpus}>{gpus}</span>
        </span>
        <StatusBadge look={instanceLook(instance)} />
        <InstanceMenuButton {...{ row, onMenu }} title="Actions (.)" />
      </div>
      <ul
        className={styles.track}
        aria-label={`Jobs of ${instance.name}`}
        aria-busy={isLoading || undefined}
        data-care={instance.scheduling?.state}
      >
        {bars.map((bar) => (
          <Bar key={bar.key} {...{ bar, total, axis, now }} />
        ))}
        {problem === null ? null : <li className={styles.problem}>{problem}</li>}
      </ul>
    </li>
  );
});

interface BarProps {
  readonly bar: LanedBar;
  readonly total: number;
  readonly axis: TimeAxis;
  readonly now: number;
}

/** The height of a row without its margins, in px, and the least height of a bar with a text. */
const ROOM = 32;
const LEAST_TEXT = 14;

function Bar({ bar, total, axis, now }: BarProps) {
  const { kind, run, from, to, lane, blocks } = bar;
  // A job that should have ended goes on.
  const end = to === null ? axis.to : kind === 'running' ? Math.max(to, now) : to;
  if (from >= axis.to || end <= axis.from) return null;
  const [left, right] = [axis.at(from), axis.at(end)];
  // The text stands beside the line of the present, not below it.
  const past = (Math.min(right, Math.max(left, axis.at(now))) - left) / (right - left || 1);
  const share = Math.min(1, blocks / total);
  const subject = barSubject(bar, total);
  const times = barTimes(bar, (time) => relativeTimeText(time, now));
  const exact = barTimes(bar, absoluteTime);
  const content = (
    <>
      <span className={styles.text} aria-hidden="true">
        {share * ROOM < LEAST_TEXT ? '' : bar.name}
      </span>
      <span className="visually-hidden">
        {subject}, {times}
      </span>
    </>
  );
  const shared = {
    className: styles.bar,
    title: `${BAR_LABELS[kind]}: ${subject}\n${exact}`,
    tabIndex: -1,
    'data-stop': '',
    style: past < 1 ? { paddingInlineStart: `calc(${past * 100}% + 0.375rem)` } : {},
  };
  return (
    <li
      className={styles.place}
      data-kind={kind}
      data-open={to === null || undefined}
      data-earlier={from < axis.from || undefined}
      style={{
        left: `${left * 100}%`,
        width: `${(right - left) * 100}%`,
        top: `${(lane / total) * 100}%`,
        height: `${share * 100}%`,
      }}
    >
      {run === null ? (
        <span {...shared}>{content}</span>
      ) : (
        <Link to="/projects/$project/runs/$run" params={run} {...shared}>
          {content}
        </Link>
      )}
    </li>
  );
}
