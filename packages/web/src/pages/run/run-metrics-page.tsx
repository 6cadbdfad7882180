import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { Activity, Download, Gauge } from 'lucide-react';
import { runEvents } from '../../data/events/event-queries.ts';
import { jobMetricsQuery } from '../../data/metrics/metric-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { chartsCsv } from '../../domain/metrics/charts-csv.ts';
import { idleGpus } from '../../domain/metrics/idle-gpus.ts';
import { jobCharts } from '../../domain/metrics/job-charts.ts';
import { chooseSubmission } from '../../domain/runs/submissions.ts';
import { Button } from '../../ui/button/button.tsx';
import { saveFile } from '../../ui/copy/save-file.ts';
import { Banner } from '../../ui/feedback/banner.tsx';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { ErrorPanel } from '../../ui/feedback/error-panel.tsx';
import { Skeleton } from '../../ui/feedback/skeleton.tsx';
import { Segments } from '../../ui/field/segments.tsx';
import { Toolbar } from '../../ui/table/toolbar.tsx';
import { elapsedText } from '../../ui/time/format-time.ts';
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
  const idle = idleGpus(charts, Date.now() / 1000);
  const isEmpty = charts.every(({ times }) => times.length === 0);
  return (
    <>
      <Toolbar
        end={
          <Button
            size="sm"
            icon={<Download size={14} />}
            disabledReason={isEmpty ? 'There are no measurements in this time' : null}
            onClick={() =>
              saveFile(
                new Blob([chartsCsv(charts)], { type: 'text/csv' }),
                `${spec?.job_name ?? target.run}-metrics.csv`,
              )
            }
          >
            CSV
          </Button>
        }
      >
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
      {idle === null ? null : (
        <Banner tone="warning" icon={Gauge}>
          {idle.gpus.join(', ')} {idle.gpus.length === 1 ? 'was' : 'were'} not used in the last{' '}
          {elapsedText(idle.seconds * 1000)}. If the job does not need{' '}
          {idle.gpus.length === 1 ? 'it' : 'them'}, stop it or ask for fewer.
        </Banner>
      )}
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
