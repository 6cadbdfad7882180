import type { Orphan, Sweep } from '@dstack/contract/wire';
import { Panel } from '../../ui/panel/panel.tsx';
import type { TableColumn } from '../../ui/table/column.ts';
import { DataTable } from '../../ui/table/data-table.tsx';
import { RelativeTime } from '../../ui/time/time.tsx';

/** Each backend with the last search for resources without a record. */
export function SweepsPanel({ sweeps }: { readonly sweeps: readonly Sweep[] | undefined }) {
  if (sweeps?.length === 0) return null;
  return (
    <Panel title="Backends" count={sweeps?.length} flush>
      <DataTable
        label="Backends"
        inline
        rows={sweeps}
        columns={SWEEPS}
        rowId={({ project_name, backend }) => `${project_name}/${backend}`}
        rowName={({ project_name, backend }) => `${backend} of ${project_name}`}
        empty={null}
      />
    </Panel>
  );
}

/** Resources in accounts of backends that have the server's tag and no record. */
export function OrphansPanel({ orphans }: { readonly orphans: readonly Orphan[] | undefined }) {
  if (orphans === undefined || orphans.length === 0) return null;
  return (
    <Panel title="Orphans" count={orphans.length} flush>
      <DataTable
        label="Orphans"
        inline
        rows={orphans}
        columns={ORPHANS}
        rowId={({ id }) => id}
        rowName={({ external_id }) => external_id}
        empty={null}
      />
    </Panel>
  );
}

const SWEEPS: readonly TableColumn<Sweep>[] = [
  {
    id: 'backend',
    header: 'Backend',
    width: 110,
    card: 'title',
    cell: ({ backend }) => backend,
  },
  {
    id: 'project',
    header: 'Project',
    width: 110,
    card: 'detail',
    cell: ({ project_name }) => <bdi>{project_name}</bdi>,
  },
  {
    id: 'swept',
    header: 'Searched',
    width: 110,
    card: 'detail',
    cell: ({ swept_at }) => (swept_at === null ? 'Never' : <RelativeTime at={swept_at} />),
  },
  {
    id: 'note',
    header: 'Note',
    width: 200,
    grow: true,
    cell: ({ error, only_reported }) => error ?? only_reported ?? '',
  },
];

const ORPHANS: readonly TableColumn<Orphan>[] = [
  {
    id: 'external',
    header: 'Resource',
    width: 180,
    grow: true,
    card: 'title',
    cell: ({ external_id }) => <bdi>{external_id}</bdi>,
  },
  { id: 'kind', header: 'Kind', width: 90, card: 'detail', cell: ({ kind }) => kind },
  { id: 'backend', header: 'Backend', width: 100, card: 'detail', cell: ({ backend }) => backend },
  {
    id: 'seen',
    header: 'First seen',
    width: 110,
    cell: ({ first_seen_at }) => <RelativeTime at={first_seen_at} />,
  },
  {
    id: 'state',
    header: 'State',
    width: 220,
    cell: ({ terminating, reason }) => (terminating ? 'Being ended' : (reason ?? 'Being checked')),
  },
];
