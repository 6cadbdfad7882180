import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { Cpu, Plus, Server } from 'lucide-react';
import { useCallback, useMemo } from 'react';
import { ResourceList, useListAddress } from '../../app/lists/resource-list.tsx';
import { fleetList } from '../../data/fleets/fleet-queries.ts';
import { useUsualProject } from '../../data/projects/usual-project.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { DeleteButton } from '../../domain/deletion/delete-dialog.tsx';
import { useRowActions } from '../../domain/deletion/use-row-actions.tsx';
import { FLEET_DELETION } from '../../domain/fleets/fleet-deletion.tsx';
import { fleetLook } from '../../domain/fleets/fleet-look.ts';
import { type FleetRow, fleetRow } from '../../domain/fleets/fleet-row.ts';
import { buttonClass } from '../../ui/button/button.tsx';
import { CommandBlock } from '../../ui/copy/command.tsx';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { FLEET_COLUMNS } from './fleet-columns.tsx';

/** The fleets of all projects of the user. */
export function FleetsPage() {
  const address = useListAddress();
  const { project, all } = address;
  const usual = useUsualProject();
  const query = useQuery(fleetList(useClient(), { project, active: !all }));
  const rows = useMemo(() => query.data?.map(fleetRow), [query.data]);
  const navigate = useNavigate();
  const more = useCallback(
    ({ id }: FleetRow) => [
      {
        label: 'Instances',
        icon: Cpu,
        keys: 'i',
        quick: true,
        run: () => void navigate({ to: '/instances', search: { fleet_ids: id } }),
      },
    ],
    [navigate],
  );
  const { rowActions, dialog } = useRowActions({ kind: FLEET_DELETION, itemOf, more });
  const add = (
    <Link
      to="/projects/$project/fleets/add"
      params={{ project: project ?? usual ?? 'main' }}
      className={buttonClass({ variant: 'primary' })}
    >
      <Plus size={15} aria-hidden="true" />
      New fleet
    </Link>
  );
  return (
    <>
      <ResourceList
        title="Fleets"
        noun="fleet"
        address={address}
        query={query}
        rows={rows}
        textsOf={textsOf}
        isActive={isActive}
        columns={FLEET_COLUMNS}
        rowId={({ id }) => id}
        rowName={({ name }) => name}
        actions={add}
        rowActions={rowActions}
        groups={GROUPS}
        selectionActions={(chosen, onDone) => (
          <DeleteButton
            kind={FLEET_DELETION}
            items={chosen.map(({ fleet }) => fleet)}
            onDone={onDone}
            size="sm"
          />
        )}
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
      {dialog}
    </>
  );
}

const itemOf = ({ fleet }: FleetRow) => fleet;

const GROUPS = {
  project: { label: 'Project', of: ({ project }: FleetRow) => project },
  status: {
    label: 'Status',
    of: ({ fleet }: FleetRow) => fleetLook(fleet.status, fleet.maintenance).text,
  },
  backend: { label: 'Backend', of: ({ backends }: FleetRow) => backends.join(', ') || 'Any' },
};

const textsOf = (row: FleetRow) => [row.name, row.project, ...row.backends];
const isActive = ({ fleet }: FleetRow) => fleet.status !== 'terminated';
