import { useCallback, useRef } from 'react';
import type { ReplicaLine } from '../../data/gateways/gateway-log.ts';
import { isAtEnd, useFollowing } from '../../domain/logs/use-following.ts';
import { visibleLine } from '../../ui/code/visible-text.ts';
import { ScrollRegion } from '../../ui/panel/scroll-region.tsx';
import { preciseTime } from '../../ui/time/format-time.ts';
import styles from './logs-view.module.css';

interface LogLinesProps {
  readonly lines: readonly ReplicaLine[];
  readonly none: string;
  readonly namesReplicas: boolean;
}

/** Log lines of a gateway's replicas. The end stays in view until the reader scrolls away from it. */
export function LogLines({ lines, none, namesReplicas }: LogLinesProps) {
  const scroller = useRef<HTMLElement>(null);
  const scrollToEnd = useCallback(() => {
    if (scroller.current !== null) scroller.current.scrollTop = scroller.current.scrollHeight;
  }, []);
  const keepsEnd = useFollowing(scroller, lines, scrollToEnd, true);
  const now = Date.now();
  return (
    <ScrollRegion
      ref={scroller}
      label="Lines of the logs"
      className={styles.lines}
      onScroll={() => {
        keepsEnd.current = isAtEnd(scroller.current);
      }}
    >
      {lines.map((line) => (
        <Line key={line.id} line={line} namesReplicas={namesReplicas} now={now} />
      ))}
      {lines.length > 0 ? null : <p className={styles.none}>{none}</p>}
    </ScrollRegion>
  );
}

interface LineProps {
  readonly line: ReplicaLine;
  readonly namesReplicas: boolean;
  readonly now: number;
}

function Line({ line, namesReplicas, now }: LineProps) {
  const { time, replica, source, level, text, isGap } = line;
  if (isGap) {
    return (
      <p className={styles.gap}>Lines of replica {replica} are missing here: it writes too many</p>
    );
  }
  return (
    <div className={styles.line}>
      <span className={styles.origin}>
        {time === null ? null : (
          <time dateTime={time} title={time}>
            {preciseTime(Date.parse(time), now)}
          </time>
        )}{' '}
        {namesReplicas ? `replica ${replica} ` : ''}
        {source}{' '}
      </span>
      <span data-tone={toneOf(level)} className={styles.level}>
        {visibleLine(level)}
      </span>{' '}
      <span className={styles.text}>{visibleLine(text)}</span>
    </div>
  );
}

function toneOf(level: string): 'plain' | 'warning' | 'failed' {
  if (level === 'warn') return 'warning';
  return ['debug', 'info', 'notice'].includes(level) ? 'plain' : 'failed';
}
