import type { WorkQueueStatus } from '@dstack/contract/wire';
import { count } from '../../domain/format/quantities.ts';
import { Panel } from '../../ui/panel/panel.tsx';
import type { TableColumn } from '../../ui/table/column.ts';
import { DataTable } from '../../ui/table/data-table.tsx';
import { useNarrow } from '../../ui/table/use-narrow.ts';

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
        columns={useNarrow() ? CARDS : TABLE}
        rowId={({ kind }) => kind}
        rowName={({ kind }) => kind}
        empty={null}
      />
    </Panel>
  );
}

/** Cards have no headers, so their numbers have units. */
function columnsFor(isNarrow: boolean): readonly TableColumn<WorkQueueStatus>[] {
  const number = (
    id: 'waiting' | 'running' | 'delayed',
    header: string,
  ): TableColumn<WorkQueueStatus> => ({
    ...{ id, header, width: 96, align: 'end', card: 'detail' },
    cell: (queue) => (isNarrow ? `${count(queue[id])} ${header.toLowerCase()}` : count(queue[id])),
  });
  return [
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
}

const TABLE = columnsFor(false);
const CARDS = columnsFor(true);
