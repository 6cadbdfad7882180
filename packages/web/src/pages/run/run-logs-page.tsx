import { getRouteApi } from '@tanstack/react-router';
import { ScrollText } from 'lucide-react';
import { useMemo } from 'react';
import { plural } from '../../domain/format/quantities.ts';
import { ALL_JOBS, mergedJobs } from '../../domain/runs/chosen-jobs.ts';
import { chooseSubmission } from '../../domain/runs/submissions.ts';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { LogPanel } from './log-panel.tsx';
import { MergedLogPanel } from './merged-log-panel.tsx';
import { useRun } from './run-context.tsx';
import { SubmissionPicker } from './submission-picker.tsx';

const route = getRouteApi('/shell/projects/$project/runs/$run');

/** The output of one job of the run, or of several together. */
export function RunLogsPage() {
  const run = useRun();
  const { job, attempt } = route.useSearch();
  const merged = useMemo(() => mergedJobs(run, job), [run, job]);
  const chosen = chooseSubmission(run, job, attempt);
  if (chosen === null) {
    return (
      <EmptyState icon={ScrollText} title="The run has no jobs yet">
        <p>Output appears here as soon as a job prints something.</p>
      </EmptyState>
    );
  }
  if (merged !== null && job !== undefined) {
    const name = job === ALL_JOBS ? 'all jobs' : plural(merged.length, 'job');
    const picker = <SubmissionPicker run={run} chosen={chosen} merged={{ value: job, name }} />;
    return <MergedLogPanel run={run} jobs={merged} name={name} picker={picker} />;
  }
  return (
    <LogPanel
      key={chosen.submission.id}
      address={{
        job: chosen.job.job_spec.job_name,
        attempt: chosen.submission.submission_num + 1,
      }}
      status={chosen.submission.status}
      target={{
        project: run.project_name,
        run: run.run_spec.run_name ?? '',
        submission: chosen.submission.id,
      }}
      picker={<SubmissionPicker run={run} chosen={chosen} merged={null} />}
    />
  );
}
