import type { Job, Run } from '@dstack/contract/wire';
import { useQueries } from '@tanstack/react-query';
import { Activity } from 'lucide-react';
import { useMemo } from 'react';
import { runEvents } from '../../data/events/event-queries.ts';
import { jobMetricsQuery } from '../../data/metrics/metric-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { combinedResults } from '../../domain/metrics/combined-results.ts';
import { jobCharts } from '../../domain/metrics/job-charts.ts';
import { MetricPanel } from '../../domain/metrics/metric-panel.tsx';
import styles from '../../domain/metrics/metrics.module.css';
import { overlaidCharts } from '../../domain/metrics/overlaid-charts.ts';
import { startOfRunning } from '../../domain/runs/timeline.ts';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { ErrorPanel } from '../../ui/feedback/error-panel.tsx';
import { Skeleton } from '../../ui/feedback/skeleton.tsx';
import compareStyles from './compare.module.css';
import type { ComparedRun } from './compare-table.tsx';

interface DrawnJob {
  readonly label: string;
  readonly run: Run;
  readonly job: Job;
  readonly submission: Job['job_submissions'][number];
}

/** The first job of each run: that of several jobs is the one that the others work with. */
function drawnJobs(columns: readonly ComparedRun[]): readonly DrawnJob[] {
  return columns.flatMap(({ run, label }) => {
    const [job] = run.jobs;
    const submission = job?.job_submissions.at(-1);
    return job && submission ? { label, run, job, submission } : [];
  });
}

const NO_MARKS: readonly number[] = [];

/** What was measured of all runs, over the time since each began to run. */
export function CompareCharts({ columns }: { readonly columns: readonly ComparedRun[] }) {
  const client = useClient();
  const drawn = drawnJobs(columns);
  const { answers, isLoading, error, retry } = useQueries({
    queries: drawn.map(({ run, job, submission }) =>
      jobMetricsQuery(
        client,
        {
          ...{ project: run.project_name, run: run.run_spec.run_name ?? '', runId: run.id },
          ...{ replica: job.job_spec.replica_num, job: job.job_spec.job_num },
          submission: submission.id,
        },
        null,
      ),
    ),
    combine: combinedResults,
  });
  const events = useQueries({ queries: drawn.map(({ run }) => runEvents(client, run.id)) });
  const labels = drawn.map(({ label }) => label).join('\n');
  const starts = drawn
    .map(({ submission }, index) => startOfRunning(submission, events[index]?.data ?? []))
    .join('\n');
  const charts = useMemo(() => {
    const times = starts.split('\n').map(Number);
    return overlaidCharts(
      labels.split('\n').flatMap((label, index) => {
        const answer = answers[index];
        const start = (times[index] ?? 0) / 1000;
        return answer === undefined ? [] : { label, start, charts: jobCharts(answer) };
      }),
    );
  }, [labels, answers, starts]);
  if (charts.length > 0) {
    return (
      <>
        {drawn.some(({ run }) => run.jobs.length > 1) ? (
          <p className={compareStyles.hint}>Of runs with several jobs, the first one is drawn.</p>
        ) : null}
        <div className={styles.charts}>
          {charts.map((chart) => (
            <MetricPanel key={chart.title} chart={chart} marks={NO_MARKS} syncKey="compare" />
          ))}
        </div>
      </>
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
