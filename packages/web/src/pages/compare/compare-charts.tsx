import type { Job } from '@dstack/contract/wire';
import { useQueries } from '@tanstack/react-query';
import { Activity } from 'lucide-react';
import { useMemo } from 'react';
import { runEvents } from '../../data/events/event-queries.ts';
import { MOST_TOGETHER } from '../../data/metrics/metrics-history.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { MetricPanel } from '../../domain/metrics/metric-panel.tsx';
import styles from '../../domain/metrics/metrics.module.css';
import { overlaidCharts } from '../../domain/metrics/overlaid-charts.ts';
import { useJobsHistory } from '../../domain/metrics/use-jobs-history.ts';
import { startOfRunning } from '../../domain/runs/timeline.ts';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { ErrorPanel } from '../../ui/feedback/error-panel.tsx';
import { Skeleton } from '../../ui/feedback/skeleton.tsx';
import { Segments } from '../../ui/field/segments.tsx';
import { Toolbar } from '../../ui/table/toolbar.tsx';
import compareStyles from './compare.module.css';
import type { ComparedRun } from './compare-table.tsx';

/** `first`: the job that those of several nodes work with. */
export type ComparedJobs = 'all' | 'first';

interface CompareChartsProps {
  readonly columns: readonly ComparedRun[];
  readonly jobs: ComparedJobs;
  readonly onJobs: (jobs: ComparedJobs) => void;
}

const NO_MARKS: readonly number[] = [];

/** Charts of the measurements of all runs, over the time since each began to run. */
export function CompareCharts({ columns, jobs, onJobs }: CompareChartsProps) {
  const most = Math.max(0, ...columns.map(({ run }) => run.jobs.length));
  return (
    <>
      {most > 1 ? (
        <Toolbar>
          <Segments<ComparedJobs>
            label="Jobs in the charts"
            value={jobs}
            options={[
              ['all', 'All jobs'],
              ['first', 'First job'],
            ]}
            onChange={onJobs}
          />
          <p className={compareStyles.hint}>
            {jobs === 'first'
              ? 'Of runs with several jobs, the first one is drawn.'
              : 'Of runs with several jobs, the average is drawn, between the highest and the lowest.'}
            {jobs === 'all' && most > MOST_TOGETHER
              ? ` Only the first ${MOST_TOGETHER} jobs of a run are included.`
              : null}
          </p>
        </Toolbar>
      ) : null}
      <ChartsOfJobs columns={columns} most={jobs === 'first' ? 1 : MOST_TOGETHER} />
    </>
  );
}

interface ChartsOfJobsProps {
  readonly columns: readonly ComparedRun[];
  /** Jobs of each run. */
  readonly most: number;
}

function ChartsOfJobs({ columns, most }: ChartsOfJobsProps) {
  const client = useClient();
  const drawn = columns.map(({ run, label }) => ({ run, label, jobs: run.jobs.slice(0, most) }));
  const { runs, step, isLoading, error, retry } = useJobsHistory(drawn, null);
  const events = useQueries({ queries: drawn.map(({ run }) => runEvents(client, run.id)) });
  const shown = JSON.stringify(
    drawn.map(({ label, jobs }, index) => [label, startOfJobs(jobs, events[index]?.data ?? [])]),
  );
  const charts = useMemo(
    () =>
      overlaidCharts(
        (JSON.parse(shown) as [string, number][]).map(([label, start], index) => ({
          ...{ label, start: start / 1000 },
          jobs: runs[index]?.map(({ charts }) => charts) ?? [],
        })),
        step,
      ),
    [shown, runs, step],
  );
  if (charts.length > 0) {
    return (
      <div className={styles.charts}>
        {charts.map((chart) => (
          <MetricPanel key={chart.title} chart={chart} marks={NO_MARKS} syncKey="compare" />
        ))}
      </div>
    );
  }
  if (isLoading) return <Skeleton lines={6} />;
  if (error !== null) {
    return <ErrorPanel title="The metrics could not be loaded" error={error} onRetry={retry} />;
  }
  return (
    <EmptyState icon={Activity} title="No measurements">
      <p>Hosts measure running jobs every ten seconds. Older measurements are removed.</p>
    </EmptyState>
  );
}

/** When the first of these jobs began to run, in ms. */
function startOfJobs(jobs: readonly Job[], events: Parameters<typeof startOfRunning>[1]): number {
  const starts = jobs.flatMap(({ job_submissions }) => {
    const latest = job_submissions.at(-1);
    return latest === undefined ? [] : startOfRunning(latest, events);
  });
  return starts.length === 0 ? 0 : Math.min(...starts);
}
