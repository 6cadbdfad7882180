import { Link } from '@tanstack/react-router';
import type { KeyboardEvent } from 'react';
import { Panel } from '../../ui/panel/panel.tsx';
import { ProgressBar } from '../../ui/status/progress-bar.tsx';
import { useTicking } from '../../ui/time/clock.ts';
import { absoluteTime, elapsedText } from '../../ui/time/format-time.ts';
import { RelativeTime } from '../../ui/time/time.tsx';
import { bytes } from '../format/quantities.ts';
import { placeHash } from '../logs/log-place.ts';
import { type TimeScale, timeScale } from '../runs/time-scale.ts';
import {
  PHASE_LOOKS,
  type Phase,
  type Pull,
  type TimelineRow,
  type TimelineSegment,
} from '../runs/timeline.ts';
import styles from './timeline-panel.module.css';

export interface TimelinePanelProps {
  readonly rows: readonly TimelineRow[];
  readonly params: { readonly project: string; readonly run: string };
  /** The next start of a scheduled run; null: none is planned. */
  readonly nextStartAt: string | null;
}

/** More rows make the page endless; the table of jobs has all of them. */
const MOST_ROWS = 40;

/** The phases of each submission of each job, with their times and durations. */
export function TimelinePanel({ rows, params, nextStartAt }: TimelinePanelProps) {
  const isOver = rows.every(({ segments }) => segments.every(({ to }) => to !== null));
  const now = useTicking((time) => (isOver ? 0 : Math.floor(time / 1000) * 1000));
  const shown = rows.slice(-MOST_ROWS);
  const scale = timeScale(shown, now);
  const phases = (Object.keys(PHASE_LOOKS) as Phase[]).filter((phase) =>
    shown.some(({ segments }) => segments.some((segment) => segment.phase === phase)),
  );
  if (rows.length === 0) {
    return nextStartAt === null ? null : (
      <Panel title="Timeline">
        <p className={styles.more}>
          It has not started yet. It starts <RelativeTime at={nextStartAt} />.
        </p>
      </Panel>
    );
  }
  return (
    <Panel title="Timeline" actions={<Legend phases={phases} />}>
      <ol className={styles.rows}>
        {shown.map((row) => (
          <li key={row.submissionId} className={styles.row} onKeyDown={moveInRow}>
            <Link
              to="/projects/$project/runs/$run/logs"
              params={params}
              search={{ job: row.job, attempt: row.attempt }}
              className={styles.name}
              title={`Logs of ${row.job}, attempt ${row.attempt}`}
            >
              <bdi>{row.job}</bdi>
              {row.attempt > 1 ? (
                <span className={styles.attempt}>attempt {row.attempt}</span>
              ) : null}
            </Link>
            <Track row={row} params={params} scale={scale} now={now} />
            {row.pull === null ? null : <PullProgress pull={row.pull} />}
          </li>
        ))}
      </ol>
      {rows.length > shown.length ? (
        <p className={styles.more}>
          The latest {MOST_ROWS} of {rows.length} attempts are shown.
        </p>
      ) : null}
    </Panel>
  );
}

const STEPS: Readonly<Record<string, number>> = { ArrowRight: 1, ArrowLeft: -1 };

/** A row is one stop for keyboards; arrow keys lead from its name to its phases. */
function moveInRow(event: KeyboardEvent<HTMLLIElement>): void {
  const links = [...event.currentTarget.querySelectorAll('a')];
  const step = STEPS[event.key];
  const next = links[links.findIndex((link) => link.matches(':focus')) + (step ?? 0)];
  if (step === undefined || next === undefined) return;
  event.preventDefault();
  next.focus();
}

function Legend({ phases }: { readonly phases: readonly Phase[] }) {
  return (
    <ul className={styles.legend} aria-label="Colours">
      {phases.map((phase) => (
        <li key={phase} className={styles.key}>
          <span
            className={styles.swatch}
            style={{ background: `var(--tone-${PHASE_LOOKS[phase].tone}-solid)` }}
          />
          {PHASE_LOOKS[phase].label}
        </li>
      ))}
    </ul>
  );
}

interface TrackProps extends Pick<TimelinePanelProps, 'params'> {
  readonly row: TimelineRow;
  readonly scale: TimeScale;
  readonly now: number;
}

/** Each phase leads to what was printed from its beginning on. */
function Track({ row, params, scale, now }: TrackProps) {
  return (
    <ul className={styles.track}>
      {row.segments.map((segment) => {
        const to = segment.to ?? Math.max(segment.from, now);
        const [left, right] = [scale.at(segment.from), scale.at(to)];
        return (
          <li
            key={`${segment.phase}-${segment.from}`}
            className={styles.segment}
            data-open={segment.to === null || undefined}
            style={{
              left: `${left * 100}%`,
              width: `${(right - left) * 100}%`,
              background: `var(--tone-${PHASE_LOOKS[segment.phase].tone}-solid)`,
            }}
          >
            <Link
              to="/projects/$project/runs/$run/logs"
              params={params}
              search={{ job: row.job, attempt: row.attempt }}
              hash={placeHash({ offset: null, time: segment.from })}
              title={segmentTitle(segment, to)}
              tabIndex={-1}
              className={styles.toLogs}
            >
              <span className="visually-hidden">{PHASE_LOOKS[segment.phase].label} for </span>
              <span className={styles.length}>{elapsedText(to - segment.from)}</span>
              <span className="visually-hidden">: logs from then on</span>
            </Link>
          </li>
        );
      })}
    </ul>
  );
}

function segmentTitle({ phase, from, to }: TimelineSegment, end: number): string {
  const times = `${absoluteTime(from)} – ${to === null ? 'now' : absoluteTime(to)}`;
  return `${PHASE_LOOKS[phase].label}: ${elapsedText(end - from)}\n${times}\nLogs from then on`;
}

function PullProgress({ pull }: { readonly pull: Pull }) {
  const total = `${pull.isTotalFinal ? '' : 'at least '}${bytes(pull.total)}`;
  return (
    <div className={styles.pull}>
      <ProgressBar
        label="Image"
        tone="warning"
        value={pull.total > 0 ? pull.done / pull.total : null}
      />
      <span>
        {bytes(pull.done)} of {total}
      </span>
    </div>
  );
}
