import { isInstanceActive } from '@dstack/contract/status';
import type { Instance } from '@dstack/contract/wire';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { Cpu, Network, X } from 'lucide-react';
import { useMemo } from 'react';
import { ResourceList, useListAddress } from '../../app/lists/resource-list.tsx';
import { instanceList } from '../../data/fleets/instance-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { DeleteButton } from '../../domain/deletion/delete-dialog.tsx';
import { useRowActions } from '../../domain/deletion/use-row-actions.tsx';
import { instanceLook } from '../../domain/fleets/fleet-look.ts';
import { INSTANCE_COLUMNS } from '../../domain/fleets/instance-columns.tsx';
import { INSTANCE_DELETION } from '../../domain/fleets/instance-deletion.tsx';
import { backendText, gpuText } from '../../domain/format/resources.ts';
import { Button } from '../../ui/button/button.tsx';
import { CommandBlock } from '../../ui/copy/command.tsx';
import { copyText } from '../../ui/copy/copy-text.ts';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';

const route = getRouteApi('/shell/instances');

/** The instances of all fleets of the user. */
export function InstancesPage() {
  const address = useListAddress();
  const { project, set } = address;
  const { fleet_ids: fleets } = route.useSearch();
  const query = useQuery(instanceList(useClient(), { project, active: false }));
  const rows = useMemo(() => {
    const wanted = fleets?.split(',');
    return wanted === undefined
      ? query.data
      : query.data?.filter(({ fleet_id }) => fleet_id !== null && wanted.includes(fleet_id));
  }, [query.data, fleets]);
  const { rowActions, dialog } = useRowActions(INSTANCE_ROWS);
  return (
    <>
      <ResourceList
        title="Instances"
        noun="instance"
        address={address}
        query={query}
        rows={rows}
        textsOf={textsOf}
        isActive={isActive}
        filters={
          fleets === undefined ? null : (
            <Button onClick={() => set({ fleet_ids: undefined })}>
              Only of {fleetNames(rows) || 'some fleets'}
              <X size={14} aria-hidden="true" />
              <span className="visually-hidden">Show all</span>
            </Button>
          )
        }
        ownFilters={{ fleet_ids: fleets }}
        columns={INSTANCE_COLUMNS}
        rowId={({ id }) => id}
        rowName={({ name }) => name}
        rowActions={rowActions}
        groups={GROUPS}
        selectionActions={(chosen, onDone) => (
          <DeleteButton kind={INSTANCE_DELETION} items={chosen} onDone={onDone} size="sm" />
        )}
        empty={
          <EmptyState icon={Cpu} title="No instances now">
            <p>
              Fleets get instances when runs need them, or at once where their configuration asks
              for some. To see what a run would get:
            </p>
            <CommandBlock text="dstack offer --gpu 1" />
          </EmptyState>
        }
      />
      {dialog}
    </>
  );
}

const INSTANCE_ROWS = {
  kind: INSTANCE_DELETION,
  itemOf: (instance: Instance) => instance,
  more: ({ hostname }: Instance) => [
    {
      label: 'Copy the address',
      icon: Network,
      disabledReason: hostname === null ? 'The instance has no address yet' : null,
      run: () => void copyText(hostname ?? '', 'The address'),
    },
  ],
};

const GROUPS = {
  project: { label: 'Project', of: (row: Instance) => row.project_name },
  fleet: { label: 'Fleet', of: (row: Instance) => row.fleet_name ?? 'No fleet' },
  status: { label: 'Status', of: (row: Instance) => instanceLook(row).text },
  backend: {
    label: 'Backend',
    of: (row: Instance) => backendText(row.backend, row.region) ?? 'None yet',
  },
};

const fleetNames = (rows: readonly Instance[] | undefined) =>
  [...new Set(rows?.map(({ fleet_name }) => fleet_name))].join(', ');

const isActive = ({ status }: Instance) => isInstanceActive(status);

const textsOf = (row: Instance) => [
  row.name,
  row.project_name,
  row.hostname,
  backendText(row.backend, row.region),
  row.region,
  row.instance_type && gpuText(row.instance_type.resources),
  instanceLook(row).text,
];
