import type { Run } from '@dstack/contract/wire';
import { getRouteApi, useLocation } from '@tanstack/react-router';
import { SquareTerminal } from 'lucide-react';
import { lazy, Suspense, useState } from 'react';
import type { TerminalTarget } from '../../data/terminal/open-terminal.ts';
import { runningJobs } from '../../domain/runs/running-jobs.ts';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { Skeleton } from '../../ui/feedback/skeleton.tsx';

// The emulator is as large as the rest of the page.
const RunTerminal = lazy(() =>
  import('./run-terminal.tsx').then((module) => ({ default: module.RunTerminal })),
);

const route = getRouteApi('/shell/projects/$project/runs/$run');

/**
 * The terminal tab. A shell ends with its connection, so that one that was opened stays while the reader
 * looks at other tabs of the run.
 */
export function TerminalKeeper({ run }: { readonly run: Run }) {
  const isVisible = useLocation({ select: ({ pathname }) => pathname.endsWith('/terminal') });
  const { job: jobName } = route.useSearch();
  const [target, setTarget] = useState<TerminalTarget | null>(null);
  const jobs = runningJobs(run);
  const wanted = jobs.find(({ job_name }) => job_name === jobName) ?? (target ? null : jobs[0]);
  if (isVisible && wanted && !isSame(target, wanted)) {
    setTarget({
      project: run.project_name,
      run: run.run_spec.run_name ?? '',
      replica: wanted.replica_num,
      job: wanted.job_num,
    });
  }
  if (target === null) return isVisible ? <NotRunning /> : null;
  return (
    <div hidden={!isVisible}>
      <Suspense fallback={<Skeleton lines={6} />}>
        <RunTerminal key={`${target.replica}-${target.job}`} run={run} target={target} />
      </Suspense>
    </div>
  );
}

function isSame(
  target: TerminalTarget | null,
  job: { readonly replica_num: number; readonly job_num: number },
): boolean {
  return target?.replica === job.replica_num && target.job === job.job_num;
}

function NotRunning() {
  return (
    <EmptyState icon={SquareTerminal} title="No job of this run is running">
      <p>The terminal opens in a running job, as soon as there is one.</p>
    </EmptyState>
  );
}
