import type { JobStatus } from '@dstack/contract/wire';
import { ScrollText } from 'lucide-react';
import { type ReactNode, useDeferredValue, useMemo, useRef, useState } from 'react';
import type { LogTarget } from '../../data/logs/log-stream.ts';
import { LogSearch, nextHit } from '../../domain/logs/log-search.ts';
import { LogView, type LogViewHandle } from '../../domain/logs/log-view.tsx';
import { useLog } from '../../domain/logs/use-log.ts';
import { jobLook } from '../../domain/runs/job-look.ts';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { ErrorPanel } from '../../ui/feedback/error-panel.tsx';
import { useSavedChoice } from '../../ui/saved-choice.ts';
import styles from './log-panel.module.css';
import { LogToolbar } from './log-toolbar.tsx';

export interface LogPanelProps {
  readonly target: LogTarget;
  readonly jobName: string;
  readonly status: JobStatus;
  readonly picker: ReactNode;
}

const asBoolean = (saved: unknown): boolean => saved === true;

/** The output of a job with search, following, and its tools. */
export function LogPanel({ target, jobName, status, picker }: LogPanelProps) {
  const log = useLog(target);
  const [wrap, setWrap] = useSavedChoice('dstack-log-wrap', asBoolean);
  const [numbers, setNumbers] = useSavedChoice('dstack-log-numbers', asBoolean);
  const [timestamps, setTimestamps] = useSavedChoice('dstack-log-timestamps', asBoolean);
  const [query, setQuery] = useState('');
  const [current, setCurrent] = useState(-1);
  const view = useRef<LogViewHandle>(null);
  // What is typed appears first; a long log is searched after that.
  const searched = useDeferredValue(query);
  const search = useMemo(() => new LogSearch(searched), [searched]);
  const hits = search.update(log.snapshot.lines);
  const hit = hits[current] ?? null;
  const moveTo = (step: 1 | -1) => {
    const next = nextHit(hits.length, current, step);
    setCurrent(next);
    const found = hits[next];
    if (found) view.current?.scrollToLine(found.line);
  };
  const isEmpty = log.snapshot.lines.length === 0;
  return (
    <div className={styles.panel}>
      <LogToolbar
        target={target}
        jobName={jobName}
        log={log}
        picker={picker}
        query={query}
        hits={hits.length}
        current={current}
        wrap={wrap}
        numbers={numbers}
        timestamps={timestamps}
        onQuery={(next) => {
          setQuery(next);
          setCurrent(-1);
        }}
        onMove={moveTo}
        onWrap={setWrap}
        onNumbers={setNumbers}
        onTimestamps={setTimestamps}
        onEnd={() => view.current?.scrollToEnd()}
      />
      {log.state.kind === 'failed' && isEmpty ? (
        <ErrorPanel
          title="The log could not be loaded"
          error={log.state.error}
          onRetry={log.retry}
        />
      ) : isEmpty ? (
        <NoOutput isOver={log.state.kind === 'complete'} status={status} />
      ) : (
        <LogView
          // Heights of lines are measured anew.
          key={String(wrap)}
          ref={view}
          label={`Output of ${jobName}`}
          lines={log.snapshot.lines}
          wrap={wrap}
          numbers={numbers}
          timestamps={timestamps}
          needle={searched.toLowerCase()}
          hit={hit}
          onOlder={log.loadOlder}
        />
      )}
    </div>
  );
}

function NoOutput({ isOver, status }: { readonly isOver: boolean; readonly status: JobStatus }) {
  return (
    <EmptyState icon={ScrollText} title={isOver ? 'The job printed nothing' : 'No output yet'}>
      <p>
        {isOver
          ? 'The reason why it ended is on the overview.'
          : `The job is ${jobLook(status, '').text.toLowerCase()}. Its output appears here as it is printed.`}
      </p>
    </EmptyState>
  );
}
