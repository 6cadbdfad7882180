import type { MouseEvent, Ref } from 'react';
import { preciseTime } from '../../ui/time/format-time.ts';
import type { LogLine } from './line-reader.ts';
import { LogLineView } from './log-line-view.tsx';
import styles from './log-view.module.css';
import type { LogViewProps } from './log-view-props.ts';

interface LogRowProps
  extends Pick<
    LogViewProps,
    'numbers' | 'timestamps' | 'marksOf' | 'hit' | 'marked' | 'linkOf' | 'onLink'
  > {
  readonly index: number;
  readonly line: LogLine;
  /** The id of the first line. */
  readonly first: number;
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
function LineLink({ line, first, numbers, timestamps, linkOf, onLink }: LogRowProps) {
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
      {timestamps ? <LineTime time={line.time} /> : null}
    </a>
  );
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
