import type { Job, Run } from '@dstack/contract/wire';
import { Link } from '@tanstack/react-router';
import { backendText, gpuText } from '../../domain/format/resources.ts';
import { jobLook } from '../../domain/runs/job-look.ts';
import { Panel } from '../../ui/panel/panel.tsx';
import { StatusBadge } from '../../ui/status/status-badge.tsx';
import type { TableColumn } from '../../ui/table/column.ts';
import { DataTable } from '../../ui/table/data-table.tsx';
import { ROW_FOCUS } from '../../ui/table/row-navigation.ts';
import { Elapsed } from '../../ui/time/time.tsx';

/** All jobs of a run with several. */
export function JobsPanel({ run }: { readonly run: Run }) {
  const params = { project: run.project_name, run: run.run_spec.run_name ?? '' };
  const columns: readonly TableColumn<Job>[] = [
    {
      id: 'name',
      header: 'Job',
      width: 150,
      grow: true,
      card: 'title',
      cell: ({ job_spec }) => (
        <Link
          to="/projects/$project/runs/$run/logs"
          params={params}
          search={{ job: job_spec.job_name }}
          {...{ [ROW_FOCUS]: '' }}
        >
          <bdi>{job_spec.job_name}</bdi>
        </Link>
      ),
    },
    {
      id: 'status',
      header: 'Status',
      width: 140,
      card: 'status',
      cell: ({ job_submissions }) => {
        const latest = job_submissions.at(-1);
        return latest ? <StatusBadge look={jobLook(latest.status, latest.status_message)} /> : null;
      },
    },
    {
      id: 'group',
      header: 'Replica',
      width: 90,
      yields: 1,
      cell: ({ job_spec }) =>
        job_spec.replica_group === '0'
          ? job_spec.replica_num
          : `${job_spec.replica_group} ${job_spec.replica_num}`,
    },
    {
      id: 'attempts',
      header: 'Attempts',
      width: 80,
      yields: 2,
      align: 'end',
      cell: ({ job_submissions }) => (job_submissions.at(-1)?.submission_num ?? 0) + 1,
    },
    {
      id: 'instance',
      header: 'Instance',
      width: 150,
      card: 'detail',
      cell: ({ job_submissions }) => {
        const placed = job_submissions.at(-1)?.job_provisioning_data;
        return placed
          ? `${placed.instance_type.name} ${backendText(placed.backend, placed.region)}`
          : '';
      },
    },
    {
      id: 'gpus',
      header: 'GPUs',
      width: 124,
      yields: 3,
      card: 'detail',
      cell: ({ job_submissions }) => {
        const placed = job_submissions.at(-1)?.job_provisioning_data;
        return placed ? gpuText(placed.instance_type.resources) : '';
      },
    },
    {
      id: 'duration',
      header: 'Duration',
      width: 104,
      align: 'end',
      card: 'detail',
      cell: ({ job_submissions }) => {
        const latest = job_submissions.at(-1);
        return latest ? <Elapsed from={latest.submitted_at} to={latest.finished_at} /> : '';
      },
    },
  ];
  return (
    <Panel title="Jobs" count={run.jobs.length} flush>
      <DataTable
        label="Jobs"
        inline
        rows={run.jobs}
        columns={columns}
        rowId={({ job_spec }) => job_spec.job_name}
        rowName={({ job_spec }) => job_spec.job_name}
        empty={null}
      />
    </Panel>
  );
}
