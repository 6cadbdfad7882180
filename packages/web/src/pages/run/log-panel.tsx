import type { JobStatus } from '@dstack/contract/wire';
import { ScrollText } from 'lucide-react';
import { type ReactNode, useRef, useState } from 'react';
import type { LogTarget } from '../../data/logs/log-stream.ts';
import { nextHit } from '../../domain/logs/log-search.ts';
import { LogView } from '../../domain/logs/log-view.tsx';
import type { LogViewHandle } from '../../domain/logs/log-view-props.ts';
import { NO_QUERY, useLogSearch } from '../../domain/logs/use-log-search.ts';
import { jobLook } from '../../domain/runs/job-look.ts';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { ErrorPanel } from '../../ui/feedback/error-panel.tsx';
import { useSavedChoice } from '../../ui/saved-choice.ts';
import styles from './log-panel.module.css';
import { LogToolbar } from './log-toolbar.tsx';
import { useFullScreen } from './use-full-screen.ts';
import { type LogAddress, useLogPlace } from './use-log-place.ts';

export interface LogPanelProps {
  readonly target: LogTarget;
  readonly address: LogAddress;
  readonly status: JobStatus;
  readonly picker: ReactNode;
}

const asBoolean = (saved: unknown): boolean => saved === true;

/** The output of a job with search, following, and its tools. */
export function LogPanel({ target, address, status, picker }: LogPanelProps) {
  const view = useRef<LogViewHandle>(null);
  const placed = useLogPlace(target, address, view);
  const { log, marked } = placed;
  const [wrap, setWrap] = useSavedChoice('dstack-log-wrap', asBoolean);
  const [numbers, setNumbers] = useSavedChoice('dstack-log-numbers', asBoolean);
  const [timestamps, setTimestamps] = useSavedChoice('dstack-log-timestamps', asBoolean);
  const [query, setQuery] = useState(NO_QUERY);
  const [current, setCurrent] = useState(-1);
  const search = useLogSearch(log.snapshot.lines, query);
  const showHit = (index: number) => {
    setCurrent(index);
    const found = search.hits[index];
    if (found) view.current?.scrollToLine(found.line);
  };
  const moveTo = (step: 1 | -1) => showHit(nextHit(search.hits.length, current, step));
  const { full, setFull } = useFullScreen();
  const { lines } = log.snapshot;
  /** The line that the reader is concerned with. */
  const presentLine = () =>
    lines.find(({ id }) => id === search.hits[current]?.line) ??
    marked ??
    view.current?.firstVisible() ??
    null;
  const linkPresent = () => {
    const line = presentLine();
    if (line !== null) placed.onLink(line);
  };
  const isEmpty = lines.length === 0;
  return (
    <div className={styles.panel} data-full={full || undefined}>
      <LogToolbar
        target={target}
        jobName={address.job}
        log={log}
        picker={picker}
        query={query}
        search={search}
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
        full={full}
        onEnd={placed.toEnd}
        onTime={placed.goTo}
        onLink={linkPresent}
        onFull={setFull}
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
          label={`Output of ${address.job}`}
          lines={lines}
          wrap={wrap}
          numbers={numbers}
          timestamps={timestamps}
          hits={search.hits}
          hit={search.hits[current] ?? null}
          marksOf={search.marksOf}
          onHit={showHit}
          onOlder={log.loadOlder}
          onNewer={log.loadNewer}
          marked={marked?.id ?? null}
          linkOf={placed.linkOf}
          onLink={placed.onLink}
          onEnd={placed.toEnd}
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
