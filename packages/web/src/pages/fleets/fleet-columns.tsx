import { fleetLook } from '../../domain/fleets/fleet-look.ts';
import { type FleetRow, nodesText } from '../../domain/fleets/fleet-row.ts';
import { pricePerHour } from '../../domain/format/quantities.ts';
import { NameLink } from '../../domain/links/name-link.tsx';
import { nameColumn, projectColumn, statusColumn } from '../../domain/lists/common-columns.tsx';
import { InstancesUseView, USE_WIDTH } from '../../domain/metrics/recent-use-view.tsx';
import type { TableColumn } from '../../ui/table/column.ts';
import { RelativeTime } from '../../ui/time/time.tsx';

/** All columns of the list of fleets, in their order. */
export const FLEET_COLUMNS: readonly TableColumn<FleetRow>[] = [
  nameColumn('Fleet', 150, (row) => (
    <NameLink
      to="/projects/$project/fleets/$fleet"
      params={{ project: row.project, fleet: row.name }}
    >
      {row.name}
    </NameLink>
  )),
  statusColumn(112, ({ fleet }) => fleetLook(fleet.status, fleet.maintenance)),
  projectColumn(90, (row) => row.project),
  {
    id: 'backends',
    header: 'Backends',
    width: 100,
    yields: 1,
    card: 'detail',
    cell: ({ backends }) => backends.join(', ') || 'any',
  },
  {
    id: 'instances',
    header: 'Instances',
    width: 160,
    card: 'detail',
    cell: ({ instances, busy, troubled }) =>
      instances.length === 0
        ? 'none'
        : [`${busy} of ${instances.length} busy`, troubled > 0 ? `${troubled} not healthy` : '']
            .filter(Boolean)
            .join(', '),
  },
  {
    id: 'gpus',
    header: 'GPUs in use',
    width: 96,
    yields: 2,
    align: 'end',
    cell: ({ gpus, gpusInUse }) => (gpus === 0 ? '–' : `${gpusInUse} / ${gpus}`),
  },
  {
    id: 'use',
    header: 'Use',
    width: USE_WIDTH,
    yields: 3,
    notExported: true,
    cell: ({ instances }) => <InstancesUseView instances={instances} />,
  },
  {
    id: 'nodes',
    header: 'Nodes',
    width: 64,
    yields: 5,
    align: 'end',
    cell: ({ fleet }) => nodesText(fleet),
  },
  {
    id: 'price',
    header: '$/h',
    width: 84,
    align: 'end',
    cell: ({ price, instances }) => (instances.length === 0 ? '' : pricePerHour(price)),
    value: ({ price, instances }) => (instances.length === 0 ? null : price),
  },
  {
    id: 'created',
    header: 'Created',
    width: 96,
    yields: 4,
    align: 'end',
    cell: ({ fleet }) => <RelativeTime at={fleet.created_at} />,
  },
];
