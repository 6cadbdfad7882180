import type { Volume } from '@dstack/contract/wire';
import { money } from '../../domain/format/quantities.ts';
import { NameLink } from '../../domain/links/name-link.tsx';
import { nameColumn, projectColumn, statusColumn } from '../../domain/lists/common-columns.tsx';
import { volumeLook, volumePlaceText, volumeSize } from '../../domain/volumes/volume-look.ts';
import type { TableColumn } from '../../ui/table/column.ts';
import { RelativeTime } from '../../ui/time/time.tsx';

/** All columns of the list of volumes, in their order. */
export const VOLUME_COLUMNS: readonly TableColumn<Volume>[] = [
  nameColumn('Volume', 160, (row) => (
    <NameLink
      to="/projects/$project/volumes/$volume"
      params={{ project: row.project_name, volume: row.name }}
    >
      {row.name}
    </NameLink>
  )),
  statusColumn(130, (row) => volumeLook(row)),
  projectColumn(110, (row) => row.project_name),
  {
    id: 'place',
    header: 'Place',
    width: 174,
    card: 'detail',
    cell: (row) => volumePlaceText(row.configuration),
  },
  { id: 'size', header: 'Size', width: 84, align: 'end', card: 'detail', cell: volumeSize },
  {
    id: 'used',
    header: 'In use by',
    width: 150,
    yields: 1,
    cell: (row) => row.attachments?.map(({ instance }) => instance.name).join(', ') || '–',
  },
  { id: 'user', header: 'User', width: 100, hidden: true, cell: (row) => <bdi>{row.user}</bdi> },
  {
    id: 'cost',
    header: 'Cost',
    width: 76,
    yields: 2,
    align: 'end',
    cell: (row) => (row.provisioning_data?.price ? money(row.cost) : '–'),
    value: (row) => (row.provisioning_data?.price ? row.cost : null),
  },
  {
    id: 'created',
    header: 'Created',
    width: 100,
    yields: 3,
    align: 'end',
    cell: (row) => <RelativeTime at={row.created_at} />,
  },
];
