import type { Job, Run } from '@dstack/contract/wire';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { Activity, Download, Gauge } from 'lucide-react';
import { runEvents } from '../../data/events/event-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { plural } from '../../domain/format/quantities.ts';
import { chartsCsv } from '../../domain/metrics/charts-csv.ts';
import { idleGpus } from '../../domain/metrics/idle-gpus.ts';
import { MetricPanel, NodePanel } from '../../domain/metrics/metric-panel.tsx';
import styles from '../../domain/metrics/metrics.module.css';
import { type NodeMetrics, nodeCharts } from '../../domain/metrics/node-charts.ts';
import { type JobsMetrics, useJobMetrics } from '../../domain/metrics/use-job-metrics.ts';
import { useJobsHistory } from '../../domain/metrics/use-jobs-history.ts';
import { ALL_JOBS, mergedJobs } from '../../domain/runs/chosen-jobs.ts';
import { chooseSubmission } from '../../domain/runs/submissions.ts';
import { Button } from '../../ui/button/button.tsx';
import { saveFile } from '../../ui/copy/save-file.ts';
import { Banner } from '../../ui/feedback/banner.tsx';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { ErrorPanel } from '../../ui/feedback/error-panel.tsx';
import { Skeleton } from '../../ui/feedback/skeleton.tsx';
import { Segments } from '../../ui/field/segments.tsx';
import { itemsOfPage, Pager } from '../../ui/table/pager.tsx';
import { Toolbar } from '../../ui/table/toolbar.tsx';
import { elapsedText } from '../../ui/time/format-time.ts';
import { RANGES, type RangeName } from './metrics-search.ts';
import { useRun } from './run-context.tsx';
import { SubmissionPicker } from './submission-picker.tsx';

const route = getRouteApi('/shell/projects/$project/runs/$run/metrics');

/** More jobs beside each other would be too small to compare, and too much to load. */
const NODES = 8;
/** For several jobs over a longer time, means are drawn: a day of one host is megabytes. */
const LONG_MINUTES = 60;
const NO_JOBS: readonly Job[] = [];

/** The measurements of one job, or of several jobs beside each other. */
export function RunMetricsPage() {
  const run = useRun();
  const navigate = useNavigate();
  const { job, range = '1h', page = 1 } = route.useSearch();
  const chosen = chooseSubmission(run, job, undefined);
  const together = mergedJobs(run, job);
  const isAll = together !== null;
  const { minutes } = RANGES[range];
  const isLong = isAll && (minutes === null || minutes > LONG_MINUTES);
  const jobs: readonly Job[] =
    together !== null ? itemsOfPage(together, page, NODES) : chosen ? [chosen.job] : [];
  const each = useJobMetrics(run, isLong ? NO_JOBS : jobs, minutes);
  const means = useJobsHistory(isLong ? [{ run, jobs }] : [], minutes);
  const metrics = isLong ? { ...means, nodes: means.runs.flat() } : each;
  const { data: events = [] } = useQuery(runEvents(useClient(), run.id));
  const search = (change: { readonly range?: RangeName; readonly page?: number }) =>
    void navigate({ to: '.', search: (before) => ({ ...before, ...change }), replace: true });
  const merged =
    together === null || job === undefined
      ? null
      : { value: job, name: job === ALL_JOBS ? 'All jobs' : plural(together.length, 'job') };
  const measured = metrics.nodes.filter(hasValues);
  const names = Object.keys(RANGES) as RangeName[];
  return (
    <>
      <Toolbar
        end={
          <Button
            size="sm"
            icon={<Download size={14} />}
            disabledReason={measured.length === 0 ? 'There are no measurements in this time' : null}
            onClick={() => saveCsv(run, measured, isAll)}
          >
            CSV
          </Button>
        }
      >
        {chosen === null ? null : <SubmissionPicker {...{ run, chosen, merged }} latestOnly />}
        <Segments<RangeName>
          label="Time range"
          value={range}
          options={names.map((name) => [name, RANGES[name].label])}
          onChange={(next) => search({ range: next })}
        />
        {together !== null ? (
          <Pager
            noun="Jobs"
            total={together.length}
            size={NODES}
            page={page}
            onPage={(next) => search({ page: next })}
          />
        ) : null}
      </Toolbar>
      {measured.map((node) => (
        <IdleBanner key={node.job} node={node} isNamed={isAll} />
      ))}
      <MetricsBody
        metrics={metrics}
        measured={measured}
        isAll={isAll}
        marks={events.map(({ recorded_at }) => Date.parse(recorded_at) / 1000)}
        syncKey={run.id}
        span={minutes === null ? null : minutes * 60}
      />
    </>
  );
}

interface MetricsBodyProps {
  readonly metrics: JobsMetrics;
  readonly measured: readonly NodeMetrics[];
  readonly isAll: boolean;
  readonly marks: readonly number[];
  readonly syncKey: string;
  readonly span: number | null;
}

function MetricsBody({ metrics, measured, isAll, marks, syncKey, span }: MetricsBodyProps) {
  const { error, isLoading, retry } = metrics;
  const failure =
    error === null ? null : (
      <ErrorPanel title="The metrics could not be loaded" error={error} onRetry={retry} />
    );
  const [first] = measured;
  if (first === undefined) {
    if (failure !== null) return failure;
    if (isLoading) return <Skeleton lines={8} />;
    return (
      <EmptyState icon={Activity} title="No measurements in this time">
        <p>Hosts measure running jobs every ten seconds. Older measurements are removed.</p>
      </EmptyState>
    );
  }
  return (
    <>
      {failure}
      <div className={isAll ? styles.rows : styles.charts}>
        {isAll
          ? nodeCharts(measured).map((measure) => (
              <NodePanel key={measure.title} {...{ measure, marks, syncKey, span }} />
            ))
          : first.charts.map((chart) => (
              <MetricPanel key={chart.title} {...{ chart, marks, syncKey, span }} />
            ))}
      </div>
    </>
  );
}

const hasValues = ({ charts }: NodeMetrics) => charts.some(({ times }) => times.length > 0);

/** Names GPUs that are paid for and not used. */
function IdleBanner({ node, isNamed }: { readonly node: NodeMetrics; readonly isNamed: boolean }) {
  const idle = idleGpus(node.charts, Date.now() / 1000);
  if (idle === null) return null;
  const [were, them] = idle.gpus.length === 1 ? ['was', 'it'] : ['were', 'them'];
  return (
    <Banner tone="warning" icon={Gauge}>
      {idle.gpus.join(', ')} {isNamed ? `of ${node.job} ` : ''}
      {were} not used in the last {elapsedText(idle.seconds * 1000)}. If the job does not need{' '}
      {them}, stop it or ask for fewer.
    </Banner>
  );
}

/** All that was measured, of each GPU; only the columns of several jobs name the job. */
function saveCsv(run: Run, nodes: readonly NodeMetrics[], isAll: boolean): void {
  const charts = nodes.flatMap(({ job, charts }) =>
    isAll ? charts.map((chart) => ({ ...chart, job })) : charts,
  );
  const name = isAll ? run.run_spec.run_name : nodes[0]?.job;
  saveFile(new Blob([chartsCsv(charts)], { type: 'text/csv' }), `${name}-metrics.csv`);
}
