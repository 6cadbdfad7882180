import { isInstanceActive } from '@dstack/contract/status';
import type { Instance } from '@dstack/contract/wire';
import { useQuery } from '@tanstack/react-query';
import { Cpu } from 'lucide-react';
import { ResourceList, useListAddress } from '../../app/lists/resource-list.tsx';
import { instanceList } from '../../data/fleets/instance-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { DeleteButton } from '../../domain/deletion/delete-dialog.tsx';
import { instanceLook } from '../../domain/fleets/fleet-look.ts';
import { INSTANCE_COLUMNS } from '../../domain/fleets/instance-columns.tsx';
import { INSTANCE_DELETION } from '../../domain/fleets/instance-deletion.tsx';
import { backendText, gpuText } from '../../domain/format/resources.ts';
import { CommandBlock } from '../../ui/copy/command.tsx';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';

/** The instances of all fleets of the user. */
export function InstancesPage() {
  const address = useListAddress();
  const { project } = address;
  const query = useQuery(instanceList(useClient(), { project, active: false }));
  return (
    <ResourceList
      title="Instances"
      noun="instance"
      address={address}
      query={query}
      rows={query.data}
      textsOf={textsOf}
      isActive={isActive}
      columns={INSTANCE_COLUMNS}
      rowId={({ id }) => id}
      rowName={({ name }) => name}
      selectionActions={(chosen, onDone) => (
        <DeleteButton kind={INSTANCE_DELETION} items={chosen} onDone={onDone} size="sm" />
      )}
      empty={
        <EmptyState icon={Cpu} title="No instances now">
          <p>
            Fleets get instances when runs need them, or at once where their configuration asks for
            some. To see what a run would get:
          </p>
          <CommandBlock text="dstack offer --gpu 1" />
        </EmptyState>
      }
    />
  );
}

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
