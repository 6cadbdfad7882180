import { isJobFinished } from '@dstack/contract/status';
import type { Job, Run } from '@dstack/contract/wire';
import { useNavigate } from '@tanstack/react-router';
import { ScrollText } from 'lucide-react';
import { type ReactNode, useMemo, useRef } from 'react';
import { plural } from '../../domain/format/quantities.ts';
import type { LogLine } from '../../domain/logs/line-reader.ts';
import { placeHash } from '../../domain/logs/log-place.ts';
import type { LogViewHandle } from '../../domain/logs/log-view-props.ts';
import type { SourceLine } from '../../domain/logs/merged-lines.ts';
import type { LogSource } from '../../domain/logs/merged-log.ts';
import { type MergedLog, useMergedLog } from '../../domain/logs/use-merged-log.ts';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { LogWorkspace } from './log-workspace.tsx';

interface MergedLogPanelProps {
  readonly run: Run;
  readonly jobs: readonly Job[];
  /** A name for the jobs together: `all jobs`, `3 jobs`. */
  readonly name: string;
  readonly picker: ReactNode;
}

/** The output of several jobs of the run in the order of its times; each line names its job. */
export function MergedLogPanel({ run, jobs, name, picker }: MergedLogPanelProps) {
  const view = useRef<LogViewHandle>(null);
  const navigate = useNavigate();
  const sources = useMemo(() => sourcesOf(jobs), [jobs]);
  const log = useMergedLog(run.project_name, run.run_spec.run_name ?? '', sources);
  const names = useMemo(() => sources.map(({ job }) => job), [sources]);
  const addressOf = (line: LogLine) => sources[(line as SourceLine).source] ?? sources[0];
  const goTo = (time: number): string | null => {
    const line = log.lines.find((one) => one.time !== null && one.time >= time);
    if (line === undefined) return 'Nothing was printed after that.';
    if (line === log.lines[0]) {
      return 'Only the last lines of the jobs are loaded. Choose one job to go further back.';
    }
    view.current?.scrollToLine(line.id);
    return null;
  };
  return (
    <LogWorkspace
      label={`Output of ${name}`}
      lines={log.lines}
      state={log.state}
      amount={amountOf(log, sources.length)}
      part="the last lines of each job"
      unread={false}
      picker={picker}
      download={null}
      empty={
        <EmptyState icon={ScrollText} title="No output yet">
          <p>Output of each job appears here as it is printed.</p>
        </EmptyState>
      }
      view={view}
      marked={null}
      linkOf={(line) => {
        const { job = '', attempt = 1 } = addressOf(line) ?? {};
        return `?${new URLSearchParams({ job, attempt: String(attempt) })}#${placeHash(line)}`;
      }}
      onLink={(line) => {
        const { job, attempt } = addressOf(line) ?? {};
        void navigate({
          to: '.',
          search: (before) => ({ ...before, job, attempt }),
          hash: placeHash(line),
        });
      }}
      onTime={goTo}
      onEnd={() => view.current?.scrollToEnd()}
      onOlder={null}
      onNewer={null}
      onRetry={log.retry}
      names={names}
    />
  );
}

/** The latest attempt of each job. */
function sourcesOf(jobs: readonly Job[]): readonly LogSource[] {
  return jobs.flatMap(({ job_spec, job_submissions }) => {
    const latest = job_submissions.at(-1);
    if (latest === undefined) return [];
    return {
      job: job_spec.job_name,
      attempt: latest.submission_num + 1,
      submission: latest.id,
      isOver: isJobFinished(latest.status),
    };
  });
}

function amountOf({ lines, state }: MergedLog, jobs: number): string {
  if (state.kind === 'loading') return 'Loading';
  if (state.kind === 'failed') return 'Interrupted';
  return `${plural(lines.length, 'line')} of ${plural(jobs, 'job')}`;
}
