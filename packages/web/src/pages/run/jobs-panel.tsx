import type { Job, Run } from '@dstack/contract/wire';
import { useMemo, useState } from 'react';
import { runRef } from '../../data/runs/run-row.ts';
import { jobGroups, sortedJobs } from '../../domain/runs/job-rows.ts';
import { Panel } from '../../ui/panel/panel.tsx';
import { DataTable } from '../../ui/table/data-table.tsx';
import { jobColumns } from './job-columns.tsx';
import { JobsSelection } from './jobs-selection.tsx';

const nameOf = ({ job_spec }: Job): string => job_spec.job_name;
const usesGpus = ({ job_submissions }: Job): boolean =>
  (job_submissions.at(-1)?.job_provisioning_data?.instance_type.resources.gpus.length ?? 0) > 0;
const NONE: ReadonlySet<string> = new Set();

/** All jobs of a run with several: what each does now, and what it printed last. */
export function JobsPanel({ run }: { readonly run: Run }) {
  const [selected, setSelected] = useState(NONE);
  const { jobs, id, project_name } = run;
  const name = run.run_spec.run_name ?? '';
  const ref = runRef(run);
  const rows = useMemo(() => sortedJobs(jobs), [jobs]);
  const groupOf = useMemo(() => jobGroups(jobs) ?? undefined, [jobs]);
  const hasProbes = jobs.some(({ job_spec }) => job_spec.probes.length > 0);
  const hasGpus = jobs.some(usesGpus);
  const columns = useMemo(
    () => jobColumns({ project: project_name, run: name, ref, runId: id }, { hasProbes, hasGpus }),
    [project_name, name, ref, id, hasProbes, hasGpus],
  );
  const chosen = rows.map(nameOf).filter((one) => selected.has(one));
  return (
    <Panel
      title="Jobs"
      count={jobs.length}
      flush
      actions={
        chosen.length === 0 ? null : (
          <JobsSelection
            params={{ project: project_name, run: ref }}
            names={chosen}
            onClear={() => setSelected(NONE)}
          />
        )
      }
    >
      <DataTable
        label="Jobs"
        inline
        rows={rows}
        columns={columns}
        rowId={nameOf}
        rowName={nameOf}
        groupOf={groupOf}
        selection={{ ids: selected, onChange: setSelected }}
        empty={null}
      />
    </Panel>
  );
}
