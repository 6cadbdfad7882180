import { isInstanceActive } from '@dstack/contract/status';
import type { Instance } from '@dstack/contract/wire';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { Cpu } from 'lucide-react';
import { useMemo, useState } from 'react';
import { useFilterCommand } from '../../app/commands/use-filter-command.ts';
import { instanceList } from '../../data/fleets/instance-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { DeleteInstancesDialog } from '../../domain/fleets/delete-instances-dialog.tsx';
import { instanceLook } from '../../domain/fleets/fleet-look.ts';
import { INSTANCE_COLUMNS } from '../../domain/fleets/instance-columns.tsx';
import { backendText, gpuText } from '../../domain/format/resources.ts';
import { Button } from '../../ui/button/button.tsx';
import { CommandBlock } from '../../ui/copy/command.tsx';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { Segments } from '../../ui/field/segments.tsx';
import { usePageTitle } from '../../ui/panel/page-title.ts';
import { ListPage } from '../../ui/table/list-page.tsx';
import { filterByText } from '../../ui/table/text-filter.ts';

const route = getRouteApi('/shell/instances');

/** The instances of all fleets of the user. */
export function InstancesPage() {
  usePageTitle('Instances');
  const client = useClient();
  const { project = null, q = '', show } = route.useSearch();
  const navigate = useNavigate({ from: '/instances' });
  const { data, error, refetch } = useQuery(instanceList(client, { project, active: false }));
  const rows = useMemo(() => {
    const known = data?.filter(({ status }) => show === 'all' || isInstanceActive(status));
    return known && filterByText(known, q, wordsOf);
  }, [data, q, show]);
  const set = (change: { q?: string | undefined; show?: 'all' | undefined }) =>
    navigate({ search: (before) => ({ ...before, ...change }), replace: true });
  return (
    <ListPage
      title="Instances"
      noun="instance"
      rows={rows}
      columns={INSTANCE_COLUMNS}
      rowId={({ id }) => id}
      rowName={({ name }) => name}
      error={data === undefined ? error : null}
      onRetry={() => void refetch()}
      text={q}
      onText={(text) => set({ q: text || undefined })}
      searchInput={useFilterCommand('Instances')}
      filters={
        <Segments
          label="Which instances"
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
      selectionActions={(chosen, onDone) => <InstancesSelection chosen={chosen} onDone={onDone} />}
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

const wordsOf = (row: Instance) => [
  row.name,
  row.project_name,
  row.hostname,
  backendText(row.backend, row.region),
  row.region,
  row.instance_type && gpuText(row.instance_type.resources),
  instanceLook(row).text,
];

function InstancesSelection(props: {
  readonly chosen: readonly Instance[];
  readonly onDone: () => void;
}) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button size="sm" onClick={() => setOpen(true)}>
        Delete
      </Button>
      <DeleteInstancesDialog
        instances={props.chosen}
        open={open}
        onClose={() => setOpen(false)}
        onDone={props.onDone}
      />
    </>
  );
}
