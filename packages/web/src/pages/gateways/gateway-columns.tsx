import type { Gateway } from '@dstack/contract/wire';
import { backendText } from '../../domain/format/resources.ts';
import { gatewayAddresses, gatewayLook } from '../../domain/gateways/gateway-look.ts';
import { NameLink } from '../../domain/links/name-link.tsx';
import { StatusBadge } from '../../ui/status/status-badge.tsx';
import type { TableColumn } from '../../ui/table/column.ts';
import { RelativeTime } from '../../ui/time/time.tsx';

/** All columns of the list of gateways, in their order. */
export const GATEWAY_COLUMNS: readonly TableColumn<Gateway>[] = [
  {
    id: 'name',
    header: 'Gateway',
    width: 150,
    grow: true,
    locked: true,
    card: 'title',
    cell: (row) => (
      <NameLink
        to="/projects/$project/gateways/$gateway"
        params={{ project: row.project_name, gateway: row.name }}
      >
        {row.name}
      </NameLink>
    ),
  },
  {
    id: 'status',
    header: 'Status',
    width: 130,
    locked: true,
    card: 'status',
    cell: (row) => <StatusBadge look={gatewayLook(row.status)} />,
  },
  { id: 'project', header: 'Project', width: 110, card: 'detail', cell: (row) => row.project_name },
  {
    id: 'domain',
    header: 'Domain',
    width: 200,
    card: 'detail',
    cell: (row) => row.wildcard_domain ?? '–',
  },
  {
    id: 'address',
    header: 'Address',
    width: 150,
    cell: (row) => gatewayAddresses(row).join(', ') || '–',
  },
  {
    id: 'place',
    header: 'Backend',
    width: 150,
    card: 'detail',
    cell: ({ configuration: { backend, region } }) =>
      [backendText(backend, region), region].filter(Boolean).join(' '),
  },
  { id: 'default', header: 'Default', width: 80, cell: (row) => (row.default ? 'yes' : '') },
  {
    id: 'created',
    header: 'Created',
    width: 100,
    align: 'end',
    cell: (row) => <RelativeTime at={row.created_at} />,
  },
];
