import type { AccessRecord } from '@dstack/contract/wire';
import { useQuery } from '@tanstack/react-query';
import { latestRequestsQuery, type NamedService } from '../../data/services/service-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { latencyText } from '../../domain/services/service-figures.ts';
import { Panel } from '../../ui/panel/panel.tsx';
import { StatusBadge, type StatusLook } from '../../ui/status/status-badge.tsx';
import type { TableColumn } from '../../ui/table/column.ts';
import { DataTable } from '../../ui/table/data-table.tsx';
import { preciseTime } from '../../ui/time/format-time.ts';

const SHOWN = 50;

/** The requests of a service that have ended last. */
export function RequestsPanel({ service }: { readonly service: NamedService }) {
  const { data, dataUpdatedAt } = useQuery(latestRequestsQuery(useClient(), service));
  if (data === undefined || data.length === 0) return null;
  return (
    <Panel title="Latest requests" flush>
      <DataTable
        label="Latest requests"
        inline
        rows={data.slice(0, SHOWN)}
        columns={columns(dataUpdatedAt)}
        rowId={({ request_id, time, ms, path }) => `${request_id} ${time} ${ms} ${path}`}
        rowName={({ method, path }) => `${method} ${path}`}
        empty={null}
      />
    </Panel>
  );
}

const columns = (now: number): readonly TableColumn<AccessRecord>[] => [
  { id: 'time', header: 'Ended', width: 120, cell: ({ time }) => preciseTime(time, now) },
  {
    id: 'status',
    header: 'Status',
    width: 80,
    card: 'status',
    cell: ({ status }) => <StatusBadge look={statusLook(status)} />,
  },
  {
    id: 'request',
    header: 'Request',
    width: 220,
    grow: true,
    card: 'title',
    cell: ({ method, path }) => (
      <bdi>
        {method} {path}
      </bdi>
    ),
  },
  {
    id: 'duration',
    header: 'Duration',
    width: 90,
    align: 'end',
    card: 'detail',
    cell: ({ ms }) => latencyText(ms),
  },
  { id: 'user', header: 'User', width: 110, card: 'detail', cell: ({ user }) => user ?? '–' },
  { id: 'address', header: 'Address', width: 130, cell: ({ address }) => address },
];

function statusLook(status: number): StatusLook {
  const text = String(status);
  if (status >= 500) return { tone: 'failed', icon: 'failed', text };
  if (status >= 400) return { tone: 'warning', icon: 'warning', text };
  return { tone: 'done', icon: 'ok', text };
}
