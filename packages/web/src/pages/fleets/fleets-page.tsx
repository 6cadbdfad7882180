import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import { Plus, Server } from 'lucide-react';
import { useMemo, useState } from 'react';
import { useFilterCommand } from '../../app/commands/use-filter-command.ts';
import { fleetList } from '../../data/fleets/fleet-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { DeleteFleetsDialog } from '../../domain/fleets/delete-fleets-dialog.tsx';
import { type FleetRow, fleetRow } from '../../domain/fleets/fleet-row.ts';
import { Button, buttonClass } from '../../ui/button/button.tsx';
import { CommandBlock } from '../../ui/copy/command.tsx';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { Segments } from '../../ui/field/segments.tsx';
import { usePageTitle } from '../../ui/panel/page-title.ts';
import { ListPage } from '../../ui/table/list-page.tsx';
import { filterByText } from '../../ui/table/text-filter.ts';
import { FLEET_COLUMNS } from './fleet-columns.tsx';

const route = getRouteApi('/shell/fleets');

/** The fleets of all projects of the user. */
export function FleetsPage() {
  usePageTitle('Fleets');
  const client = useClient();
  const { project = null, q = '', show } = route.useSearch();
  const navigate = useNavigate({ from: '/fleets' });
  const { data, error, refetch } = useQuery(fleetList(client, { project, active: show !== 'all' }));
  const rows = useMemo(() => {
    const known = data
      ?.map(fleetRow)
      .filter(({ fleet }) => show === 'all' || fleet.status !== 'terminated');
    return known && filterByText(known, q, (row) => [row.name, row.project, ...row.backends]);
  }, [data, q, show]);
  const set = (change: { q?: string | undefined; show?: 'all' | undefined }) =>
    navigate({ search: (before) => ({ ...before, ...change }), replace: true });
  const add = (
    <Link
      to="/projects/$project/fleets/add"
      params={{ project: project ?? 'main' }}
      className={buttonClass({ variant: 'primary' })}
    >
      <Plus size={15} aria-hidden="true" />
      New fleet
    </Link>
  );
  return (
    <ListPage
      title="Fleets"
      noun="fleet"
      rows={rows}
      columns={FLEET_COLUMNS}
      rowId={({ id }) => id}
      rowName={({ name }) => name}
      error={data === undefined ? error : null}
      onRetry={() => void refetch()}
      text={q}
      onText={(text) => set({ q: text || undefined })}
      searchInput={useFilterCommand('Fleets')}
      filters={
        <Segments
          label="Which fleets"
          value={show ?? 'active'}
          options={[
            ['active', 'Active'],
            ['all', 'All'],
          ]}
          onChange={(value) => set({ show: value === 'all' ? 'all' : undefined })}
        />
      }
      isFiltered={q !== ''}
      onClear={() => set({ q: undefined })}
      actions={add}
      selectionActions={(chosen, onDone) => <FleetsSelection chosen={chosen} onDone={onDone} />}
      empty={
        <EmptyState icon={Server} title="No fleets yet" actions={add}>
          <p>
            Runs are placed on the instances of fleets. A fleet is a template for cloud instances,
            or a list of SSH hosts:
          </p>
          <CommandBlock
            label="Copy the configuration"
            text={'# fleet.dstack.yml\ntype: fleet\nname: default\nnodes: 0..2'}
          />
          <CommandBlock text="dstack apply -f fleet.dstack.yml" />
        </EmptyState>
      }
    />
  );
}

function FleetsSelection(props: {
  readonly chosen: readonly FleetRow[];
  readonly onDone: () => void;
}) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button size="sm" onClick={() => setOpen(true)}>
        Delete
      </Button>
      <DeleteFleetsDialog
        fleets={props.chosen.map(({ fleet }) => fleet)}
        open={open}
        onClose={() => setOpen(false)}
        onDone={props.onDone}
      />
    </>
  );
}
