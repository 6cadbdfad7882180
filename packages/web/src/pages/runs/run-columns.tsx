import type { RunRow } from '../../data/runs/run-row.ts';
import { pricePerHour } from '../../domain/format/quantities.ts';
import {
  backendText,
  gpuText,
  instancesText,
  resourcesText,
} from '../../domain/format/resources.ts';
import { NameLink } from '../../domain/links/name-link.tsx';
import { nameColumn, projectColumn, statusColumn } from '../../domain/lists/common-columns.tsx';
import { RecentUseView, USE_WIDTH } from '../../domain/metrics/recent-use-view.tsx';
import { runCostText } from '../../domain/runs/run-cost.ts';
import { runLook } from '../../domain/runs/run-look.ts';
import type { TableColumn } from '../../ui/table/column.ts';
import { secondsBetween } from '../../ui/time/format-time.ts';
import { Elapsed, Moment } from '../../ui/time/time.tsx';
import styles from './runs.module.css';

const TYPES: Readonly<Record<RunRow['type'], string>> = {
  task: 'Task',
  service: 'Service',
  'dev-environment': 'Dev env',
};

/** All columns of the list, in their order. */
export const RUN_COLUMNS: readonly TableColumn<RunRow>[] = [
  {
    ...nameColumn<RunRow>('Run', 164, (row) => (
      <>
        <NameLink to="/projects/$project/runs/$run" params={{ project: row.project, run: row.ref }}>
          {row.name}
        </NameLink>
        {row.isDeleted ? <span className={styles.deleted}>deleted</span> : null}
      </>
    )),
    sort: (row) => row.name,
  },
  { ...statusColumn<RunRow>(142, (row) => runLook(row)), sort: (row) => runLook(row).text },
  {
    id: 'type',
    header: 'Type',
    width: 78,
    yields: 7,
    cell: (row) => TYPES[row.type],
    sort: (row) => TYPES[row.type],
  },
  projectColumn(90, (row) => row.project),
  {
    id: 'user',
    header: 'User',
    width: 80,
    yields: 2,
    card: 'detail',
    cell: (row) => <bdi>{row.user}</bdi>,
    sort: (row) => row.user,
  },
  {
    id: 'gpus',
    header: 'GPUs',
    width: 114,
    yields: 1,
    cell: (row) => (row.resources === null ? '' : gpuText(row.resources) || '–'),
  },
  {
    id: 'use',
    header: 'Use',
    width: USE_WIDTH,
    yields: 4,
    notExported: true,
    cell: ({ project, name, id, jobs, measured }) =>
      measured && (
        <RecentUseView
          target={{ project, run: name, runId: id, ...measured }}
          expected={null}
          {...(jobs > 1 ? { of: measured.name } : {})}
        />
      ),
  },
  {
    id: 'resources',
    header: 'Resources',
    width: 230,
    hidden: true,
    cell: (row) => (row.resources === null ? '' : resourcesText(row.resources)),
  },
  {
    id: 'backend',
    header: 'Backend',
    width: 80,
    yields: 6,
    card: 'detail',
    cell: (row) => backendText(row.backend, row.region),
  },
  {
    id: 'region',
    header: 'Region',
    width: 110,
    hidden: true,
    cell: (row) => row.region,
  },
  { id: 'fleet', header: 'Fleet', width: 110, hidden: true, cell: (row) => row.fleet },
  {
    id: 'instance',
    header: 'Instance type',
    width: 130,
    hidden: true,
    cell: (row) => instancesText(row.instances, row.instanceType),
  },
  {
    id: 'spot',
    header: 'Spot',
    width: 64,
    hidden: true,
    cell: (row) => (row.resources?.spot ? 'yes' : ''),
  },
  {
    id: 'price',
    header: '$/h',
    width: 84,
    align: 'end',
    cell: (row) => (row.price === null ? '' : pricePerHour(row.price)),
    value: (row) => row.price || null,
    sort: (row) => row.price,
  },
  {
    id: 'cost',
    header: 'Cost',
    width: 80,
    yields: 3,
    align: 'end',
    cell: (row) => (row.price === null ? '' : runCostText(row)),
    value: (row) => (row.price === 0 ? row.cost || null : row.cost),
    sort: (row) => row.cost,
  },
  {
    id: 'duration',
    header: 'Duration',
    width: 104,
    yields: 5,
    align: 'end',
    cell: (row) => <Elapsed from={row.submittedAt} to={row.finishedAt} />,
    value: (row) => secondsBetween(row.submittedAt, row.finishedAt),
    sort: (row) => secondsBetween(row.submittedAt, row.finishedAt),
  },
  {
    id: 'submitted',
    header: 'Submitted',
    width: 112,
    align: 'end',
    card: 'detail',
    cell: (row) => <Moment at={row.submittedAt} />,
    value: (row) => row.submittedAt,
    sort: (row) => Date.parse(row.submittedAt),
  },
  {
    id: 'finished',
    header: 'Finished',
    width: 112,
    align: 'end',
    hidden: true,
    cell: (row) => (row.finishedAt === null ? '' : <Moment at={row.finishedAt} />),
    value: (row) => row.finishedAt,
    sort: (row) => (row.finishedAt === null ? null : Date.parse(row.finishedAt)),
  },
  { id: 'error', header: 'Error', width: 220, hidden: true, cell: (row) => row.error },
  {
    id: 'priority',
    header: 'Priority',
    width: 80,
    align: 'end',
    hidden: true,
    cell: (row) => row.priority,
    value: (row) => row.priority,
    sort: (row) => row.priority,
  },
  { id: 'repo', header: 'Repo', width: 130, hidden: true, cell: (row) => row.repo },
];
