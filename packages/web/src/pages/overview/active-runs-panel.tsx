import { Link } from '@tanstack/react-router';
import type { RunRow } from '../../data/runs/run-row.ts';
import { pricePerHour } from '../../domain/format/quantities.ts';
import { gpuText } from '../../domain/format/resources.ts';
import { runLook } from '../../domain/runs/run-look.ts';
import { buttonClass } from '../../ui/button/button.tsx';
import { CommandBlock } from '../../ui/copy/command.tsx';
import { Panel } from '../../ui/panel/panel.tsx';
import { StatusBadge } from '../../ui/status/status-badge.tsx';
import type { TableColumn } from '../../ui/table/column.ts';
import { DataTable } from '../../ui/table/data-table.tsx';
import { ROW_FOCUS } from '../../ui/table/row-navigation.ts';
import { Elapsed } from '../../ui/time/time.tsx';
import styles from './overview.module.css';

/** The newest ones; the list of runs has all. */
const SHOWN = 10;

export function ActiveRunsPanel({ runs }: { readonly runs: readonly RunRow[] | undefined }) {
  return (
    <Panel
      title="Active runs"
      flush
      actions={
        <Link to="/runs" className={buttonClass({ variant: 'quiet', size: 'sm' })}>
          All runs
        </Link>
      }
    >
      <DataTable
        label="Active runs"
        inline
        rows={runs?.slice(0, SHOWN)}
        columns={COLUMNS}
        rowId={({ id }) => id}
        rowName={({ name }) => name}
        empty={<NothingRuns />}
      />
    </Panel>
  );
}

const COLUMNS: readonly TableColumn<RunRow>[] = [
  {
    id: 'name',
    header: 'Run',
    width: 140,
    grow: true,
    card: 'title',
    cell: ({ project, name }) => (
      <Link
        to="/projects/$project/runs/$run"
        params={{ project, run: name }}
        className={styles.name}
        {...{ [ROW_FOCUS]: '' }}
      >
        <bdi>{name}</bdi>
      </Link>
    ),
  },
  {
    id: 'status',
    header: 'Status',
    width: 140,
    card: 'status',
    cell: (row) => <StatusBadge look={runLook(row)} />,
  },
  {
    id: 'project',
    header: 'Project',
    width: 90,
    yields: 1,
    card: 'detail',
    cell: ({ project }) => project,
  },
  {
    id: 'user',
    header: 'User',
    width: 88,
    yields: 2,
    card: 'detail',
    cell: ({ user }) => <bdi>{user}</bdi>,
  },
  {
    id: 'gpus',
    header: 'GPUs',
    width: 124,
    cell: ({ resources }) => (resources === null ? '' : gpuText(resources) || '–'),
  },
  {
    id: 'price',
    header: '$/h',
    width: 72,
    align: 'end',
    cell: ({ price }) => (price === null ? '' : pricePerHour(price)),
  },
  {
    id: 'duration',
    header: 'Duration',
    width: 104,
    align: 'end',
    card: 'detail',
    cell: ({ submittedAt }) => <Elapsed from={submittedAt} to={null} />,
  },
];

function NothingRuns() {
  return (
    <div className={styles.nothing}>
      <p>Nothing runs or waits. Submit a run:</p>
      <CommandBlock text="dstack apply -f .dstack.yml" />
    </div>
  );
}
