import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { Activity } from 'lucide-react';
import { runEvents } from '../../data/events/event-queries.ts';
import { jobMetricsQuery } from '../../data/metrics/metric-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { jobCharts } from '../../domain/metrics/job-charts.ts';
import { chooseSubmission } from '../../domain/runs/submissions.ts';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { ErrorPanel } from '../../ui/feedback/error-panel.tsx';
import { Skeleton } from '../../ui/feedback/skeleton.tsx';
import { Segments } from '../../ui/field/segments.tsx';
import { Toolbar } from '../../ui/table/toolbar.tsx';
import { MetricPanel } from './metric-panel.tsx';
import styles from './metrics.module.css';
import { RANGES, type RangeName } from './metrics-search.ts';
import { useRun } from './run-context.tsx';
import { SubmissionPicker } from './submission-picker.tsx';

const route = getRouteApi('/shell/projects/$project/runs/$run/metrics');

/** What the hosts measured of one job. */
export function RunMetricsPage() {
  const run = useRun();
  const client = useClient();
  const navigate = useNavigate();
  const { job, range = '1h' } = route.useSearch();
  const chosen = chooseSubmission(run, job, undefined);
  const spec = chosen?.job.job_spec;
  const target = {
    project: run.project_name,
    run: run.run_spec.run_name ?? '',
    runId: run.id,
    replica: spec?.replica_num ?? 0,
    job: spec?.job_num ?? 0,
  };
  const { data, error, refetch } = useQuery(jobMetricsQuery(client, target, RANGES[range].minutes));
  const { data: events = [] } = useQuery(runEvents(client, run.id));
  const charts = data === undefined ? [] : jobCharts(data);
  const marks = events.map(({ recorded_at }) => Date.parse(recorded_at) / 1000);
  const isEmpty = charts.every(({ times }) => times.length === 0);
  return (
    <>
      <Toolbar>
        {chosen === null ? null : <SubmissionPicker run={run} chosen={chosen} />}
        <Segments<RangeName>
          label="Time range"
          value={range}
          options={(Object.keys(RANGES) as RangeName[]).map((name) => [name, RANGES[name].label])}
          onChange={(next) =>
            void navigate({
              to: '.',
              search: (before) => ({ ...before, range: next }),
              replace: true,
            })
          }
        />
      </Toolbar>
      {data === undefined ? (
        error === null ? (
          <Skeleton lines={8} />
        ) : (
          <ErrorPanel
            title="The metrics could not be loaded"
            error={error}
            onRetry={() => void refetch()}
          />
        )
      ) : isEmpty ? (
        <EmptyState icon={Activity} title="No measurements in this time">
          <p>Hosts measure running jobs every ten seconds. Older measurements are removed.</p>
        </EmptyState>
      ) : (
        <div className={styles.charts}>
          {charts.map((chart) => (
            <MetricPanel key={chart.title} chart={chart} marks={marks} syncKey={run.id} />
          ))}
        </div>
      )}
    </>
  );
}
