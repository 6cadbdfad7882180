import type { Job } from '@dstack/contract/wire';
import type { RunRow } from '../../data/runs/run-row.ts';
import { backendText, gpuText } from '../../domain/format/resources.ts';
import { NameLink } from '../../domain/links/name-link.tsx';
import { jobLook } from '../../domain/runs/job-look.ts';
import { placeInRun, probesLook } from '../../domain/runs/job-rows.ts';
import { StatusBadge } from '../../ui/status/status-badge.tsx';
import type { TableColumn } from '../../ui/table/column.ts';
import { Elapsed } from '../../ui/time/time.tsx';
import { type GlanceRun, JobLastLine, JobUse } from './job-glance.tsx';

const latestOf = ({ job_submissions }: Job) => job_submissions.at(-1);

/** The columns of the table of jobs. */
export function jobColumns(
  run: GlanceRun & Pick<RunRow, 'ref'>,
  { hasProbes, hasGpus }: { readonly hasProbes: boolean; readonly hasGpus: boolean },
): readonly TableColumn<Job>[] {
  const measured = hasGpus ? 'GPU' : 'CPU';
  const columns: readonly (TableColumn<Job> | null)[] = [
    {
      id: 'name',
      header: 'Job',
      width: 120,
      card: 'title',
      cell: ({ job_spec }) => (
        <NameLink
          to="/projects/$project/runs/$run/logs"
          params={{ project: run.project, run: run.ref }}
          search={{ job: job_spec.job_name }}
        >
          {job_spec.job_name}
        </NameLink>
      ),
    },
    {
      id: 'status',
      header: 'Status',
      width: 108,
      card: 'status',
      cell: (job) => {
        const latest = latestOf(job);
        return latest ? <StatusBadge look={jobLook(latest.status, latest.status_message)} /> : null;
      },
    },
    { id: 'replica', header: 'Replica', width: 76, yields: 3, cell: placeInRun },
    hasProbes
      ? {
          id: 'probes',
          header: 'Probes',
          width: 84,
          yields: 1,
          cell: (job) => {
            const look = probesLook(job);
            return look === null ? '' : <StatusBadge look={look} />;
          },
        }
      : null,
    {
      id: 'use',
      header: measured,
      width: 124,
      card: 'detail',
      cell: (job) => <JobUse run={run} job={job} expected={measured} />,
    },
    {
      id: 'line',
      header: 'Last line',
      width: 130,
      grow: true,
      card: 'detail',
      cell: (job) => <JobLastLine run={run} job={job} />,
    },
    {
      id: 'instance',
      header: 'Instance',
      width: 128,
      yields: 2,
      cell: (job) => {
        const placed = latestOf(job)?.job_provisioning_data;
        return placed
          ? `${placed.instance_type.name} ${backendText(placed.backend, placed.region)}`
          : '';
      },
    },
    {
      id: 'gpus',
      header: 'GPUs',
      width: 110,
      yields: 5,
      cell: (job) => {
        const placed = latestOf(job)?.job_provisioning_data;
        return placed ? gpuText(placed.instance_type.resources) : '';
      },
    },
    {
      id: 'attempts',
      header: 'Attempts',
      width: 74,
      yields: 6,
      align: 'end',
      cell: (job) => (latestOf(job)?.submission_num ?? 0) + 1,
    },
    {
      id: 'duration',
      header: 'Duration',
      width: 96,
      yields: 4,
      align: 'end',
      cell: (job) => {
        const latest = latestOf(job);
        return latest ? <Elapsed from={latest.submitted_at} to={latest.finished_at} /> : '';
      },
    },
  ];
  return columns.filter((column) => column !== null);
}
