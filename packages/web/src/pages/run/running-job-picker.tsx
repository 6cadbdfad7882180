import type { Run } from '@dstack/contract/wire';
import { useNavigate } from '@tanstack/react-router';
import type { TerminalTarget } from '../../data/terminal/open-terminal.ts';
import { runningJobs } from '../../domain/runs/running-jobs.ts';
import { Select } from '../../ui/select/select.tsx';

/** Chooses one of the running jobs; hidden where there is no choice. */
export function RunningJobPicker(props: { readonly run: Run; readonly target: TerminalTarget }) {
  const { run, target } = props;
  const navigate = useNavigate();
  const jobs = runningJobs(run);
  const chosen = jobs.find(
    ({ replica_num, job_num }) => replica_num === target.replica && job_num === target.job,
  );
  if (jobs.length < 2 || chosen === undefined) return null;
  return (
    <Select
      label="Job"
      value={chosen.job_name}
      options={jobs.map(({ job_name }) => ({ value: job_name, label: job_name }))}
      onChange={(job) =>
        void navigate({ to: '.', search: (before) => ({ ...before, job }), replace: true })
      }
    />
  );
}
