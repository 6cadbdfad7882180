import type { WorkQueueStatus } from '@dstack/contract/wire';
import { count } from '../../domain/format/quantities.ts';
import { Panel } from '../../ui/panel/panel.tsx';
import type { TableColumn } from '../../ui/table/column.ts';
import { DataTable } from '../../ui/table/data-table.tsx';

/** The work of the loops: what is due, under way, and tried again later. */
export function QueuesPanel({
  queues,
}: {
  readonly queues: readonly WorkQueueStatus[] | undefined;
}) {
  return (
    <Panel title="Work" flush>
      <DataTable
        label="Work"
        inline
        rows={queues}
        columns={COLUMNS}
        rowId={({ kind }) => kind}
        rowName={({ kind }) => kind}
        empty={null}
      />
    </Panel>
  );
}

const number = (
  id: 'waiting' | 'running' | 'delayed',
  header: string,
): TableColumn<WorkQueueStatus> => ({
  ...{ id, header, width: 96, align: 'end', card: 'detail' },
  cell: (queue) => count(queue[id]),
});

const COLUMNS: readonly TableColumn<WorkQueueStatus>[] = [
  {
    id: 'kind',
    header: 'Kind',
    width: 160,
    grow: true,
    card: 'title',
    cell: ({ kind }) => kind.replaceAll('-', ' '),
  },
  number('waiting', 'Waiting'),
  number('running', 'Running'),
  number('delayed', 'Retried later'),
];
