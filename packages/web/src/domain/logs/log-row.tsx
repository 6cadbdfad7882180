import type { MouseEvent, Ref } from 'react';
import { preciseTime } from '../../ui/time/format-time.ts';
import type { LogLine } from './line-reader.ts';
import { LogLineView } from './log-line-view.tsx';
import styles from './log-view.module.css';
import type { LogViewProps } from './log-view-props.ts';

interface LogRowProps
  extends Pick<
    LogViewProps,
    'numbers' | 'times' | 'names' | 'marksOf' | 'hit' | 'marked' | 'linkOf' | 'onLink'
  > {
  readonly index: number;
  readonly line: LogLine;
  /** The id of the first line. */
  readonly first: number;
  /** The time that relative ones count from. */
  readonly firstTime: number | null;
  readonly measure: Ref<HTMLDivElement> | undefined;
}

/** A line with its link, its number and its time. */
export function LogRow(props: LogRowProps) {
  const { index, line, measure, marked, marksOf, hit } = props;
  return (
    <div
      data-index={index}
      data-marked={marked === line.id || undefined}
      ref={measure}
      className={styles.line}
    >
      {line.isNote ? null : <LineLink {...props} />}
      <SourceName {...props} />
      <span className={styles.text}>
        <LogLineView
          line={line}
          marksOf={marksOf}
          currentHit={hit?.line === line.id ? hit.from : null}
        />
      </span>
    </div>
  );
}

/** Without a time, the link is nothing to be read: a command copies the same address. */
const SEEN_ONLY = { 'aria-hidden': true, title: 'Copy a link to this line' } as const;

/** The number and the time lead to the line. Keyboards have a command instead of a stop at every line. */
function LineLink(props: LogRowProps) {
  const { line, first, firstTime, numbers, times, linkOf, onLink } = props;
  const timestamps = times !== 'off';
  const onClick = (event: MouseEvent) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    onLink(line);
  };
  return (
    <a
      href={linkOf(line)}
      {...(timestamps ? {} : SEEN_ONLY)}
      tabIndex={-1}
      className={styles.link}
      onClick={onClick}
    >
      {numbers ? (
        <span className={styles.number} aria-hidden="true">
          {line.id - first + 1}
        </span>
      ) : null}
      {timestamps ? <LineTime time={line.time} times={times} firstTime={firstTime} /> : null}
    </a>
  );
}

/** The job of a line of merged logs, by its name and a colour. */
function SourceName({ line, names }: LogRowProps) {
  const source = 'source' in line ? Number(line.source) : null;
  if (names === undefined || source === null) return null;
  return (
    <span
      className={styles.source}
      style={{ color: `var(--ansi-${COLORS[source % COLORS.length]})` }}
    >
      {names[source]}{' '}
    </span>
  );
}

/** Numbers of terminal colours: neither greys nor red, which would look like errors. */
const COLORS = [4, 2, 5, 3, 6];

interface LineTimeProps extends Pick<LogRowProps, 'times' | 'firstTime'> {
  readonly time: number | null;
}

/** The space separates the time from the text in what readers copy. */
function LineTime({ time, times, firstTime }: LineTimeProps) {
  if (time === null) return <span className={styles.time} />;
  const iso = new Date(time).toISOString();
  return (
    <time className={styles.time} dateTime={iso} title={iso}>
      {lineTimeText(time, times, firstTime ?? time)}{' '}
    </time>
  );
}

/** `14:03:10.120`, the same with its day in UTC, or `+12.034 s`. */
function lineTimeText(time: number, times: LogRowProps['times'], firstTime: number): string {
  if (times === 'utc') return new Date(time).toISOString().replace('T', ' ');
  if (times === 'relative') return `+${((time - firstTime) / 1000).toFixed(3)} s`;
  return preciseTime(time, Date.now());
}
