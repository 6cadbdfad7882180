import { isRunFailed } from '@dstack/contract/status';
import type { Run } from '@dstack/contract/wire';
import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense } from 'react';
import { runEvents } from '../../data/events/event-queries.ts';
import { type RunRow, runRow } from '../../data/runs/run-row.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { ExplainPanel } from '../../domain/explain/explain-panel.tsx';
import { needsExplanation } from '../../domain/runs/run-problem.ts';
import { timelineOf } from '../../domain/runs/timeline.ts';
import { hasFigures } from '../../domain/services/service-figures.ts';
import { TimelinePanel } from '../../domain/timeline/timeline-panel.tsx';
import { Skeleton } from '../../ui/feedback/skeleton.tsx';
import { TwoColumns } from '../../ui/panel/columns.tsx';
import { ConnectPanel } from './connect-panel.tsx';
import { CopiesPanel } from './copies-panel.tsx';
import { DependenciesPanel } from './dependencies-panel.tsx';
import { FailureLines, LastLinesPanel } from './last-lines-panel.tsx';
import { RequestsPanel } from './requests-panel.tsx';
import { useRun } from './run-context.tsx';
import { RunDetailsPanel } from './run-details-panel.tsx';

/** Most runs have one job, and load no table. */
const JobsPanel = lazy(() =>
  import('./jobs-panel.tsx').then((module) => ({ default: module.JobsPanel })),
);

const TrafficPanel = lazy(() =>
  import('./traffic-panel.tsx').then((module) => ({ default: module.TrafficPanel })),
);

function Jobs({ run }: { readonly run: Run }) {
  return (
    <Suspense fallback={<Skeleton lines={4} />}>
      <JobsPanel run={run} />
    </Suspense>
  );
}

/** The state of the run with its explanation, its timeline, and how to connect to it. */
export function RunOverviewPage() {
  const run = useRun();
  const client = useClient();
  const { data: events = [] } = useQuery(runEvents(client, run.id));
  const row = runRow(run);
  // The explanation of a failure has its last lines.
  const hasFailed = isRunFailed(run.status) && needsExplanation(row);
  const params = { project: row.project, run: row.ref };
  return (
    <TwoColumns
      main={
        <>
          {/* Explanations are found by name, which a newer run may have. */}
          {needsExplanation(row) && !row.isDeleted ? (
            <ExplainPanel project={row.project} kind={explainKind(row)} name={row.name}>
              {hasFailed ? <FailureLines run={run} /> : null}
            </ExplainPanel>
          ) : null}
          <DependenciesPanel run={run} />
          {run.jobs.length > 1 ? <Jobs run={run} /> : null}
          {hasFigures(row) ? (
            <Suspense fallback={<Skeleton lines={4} />}>
              <TrafficPanel service={row} />
            </Suspense>
          ) : null}
          <TimelinePanel
            rows={timelineOf(run.jobs, events)}
            params={params}
            nextStartAt={row.nextStartAt}
          />
          {hasFailed ? null : <LastLinesPanel run={run} />}
          {hasFigures(row) ? <RequestsPanel service={row} /> : null}
        </>
      }
      side={
        <>
          <ConnectPanel run={run} />
          {hasFigures(row) && isMirrored(run) ? <CopiesPanel service={row} /> : null}
          <RunDetailsPanel run={run} />
        </>
      }
    />
  );
}

/** Its requests are copied to another service. */
const isMirrored = ({ run_spec: { configuration } }: Run): boolean =>
  configuration.type === 'service' && Boolean(configuration.mirror);

/** A running service is explained replica by replica. */
const explainKind = ({ type, status }: RunRow) =>
  type === 'service' && status === 'running' ? 'services' : 'runs';
