import type { Gateway } from '@dstack/contract/wire';
import { backendText } from '../../domain/format/resources.ts';
import { gatewayAddresses, gatewayLook } from '../../domain/gateways/gateway-look.ts';
import { NameLink } from '../../domain/links/name-link.tsx';
import { nameColumn, projectColumn, statusColumn } from '../../domain/lists/common-columns.tsx';
import type { TableColumn } from '../../ui/table/column.ts';
import { RelativeTime } from '../../ui/time/time.tsx';

/** All columns of the list of gateways, in their order. */
export const GATEWAY_COLUMNS: readonly TableColumn<Gateway>[] = [
  nameColumn('Gateway', 150, (row) => (
    <NameLink
      to="/projects/$project/gateways/$gateway"
      params={{ project: row.project_name, gateway: row.name }}
    >
      {row.name}
    </NameLink>
  )),
  statusColumn(130, (row) => gatewayLook(row.status)),
  projectColumn(110, (row) => row.project_name),
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
    yields: 2,
    cell: (row) => gatewayAddresses(row).join(', ') || '–',
  },
  {
    id: 'place',
    header: 'Backend',
    width: 150,
    yields: 3,
    card: 'detail',
    cell: ({ configuration: { backend, region } }) =>
      [backendText(backend, region), region].filter(Boolean).join(' '),
  },
  {
    id: 'default',
    header: 'Default',
    width: 80,
    yields: 1,
    cell: (row) => (row.default ? 'yes' : ''),
  },
  {
    id: 'created',
    header: 'Created',
    width: 100,
    yields: 4,
    align: 'end',
    cell: (row) => <RelativeTime at={row.created_at} />,
  },
];
