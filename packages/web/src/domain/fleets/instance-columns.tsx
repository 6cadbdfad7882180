import type { Instance } from '@dstack/contract/wire';
import { Link } from '@tanstack/react-router';
import type { TableColumn } from '../../ui/table/column.ts';
import { RelativeTime } from '../../ui/time/time.tsx';
import { pricePerHour } from '../format/quantities.ts';
import { backendText, gpuText, resourcesText } from '../format/resources.ts';
import { NameLink } from '../links/name-link.tsx';
import { nameColumn, projectColumn, statusColumn } from '../lists/common-columns.tsx';
import { InstancesUseView, USE_WIDTH } from '../metrics/recent-use-view.tsx';
import { instanceLook } from './fleet-look.ts';

/** All columns of lists of instances, in their order. */
export const INSTANCE_COLUMNS: readonly TableColumn<Instance>[] = [
  nameColumn('Instance', 136, (row) => (
    <NameLink
      to="/projects/$project/instances/$instance"
      params={{ project: row.project_name, instance: row.id }}
    >
      {row.name}
    </NameLink>
  )),
  statusColumn(128, (row) => instanceLook(row)),
  projectColumn(90, (row) => row.project_name),
  {
    id: 'fleet',
    header: 'Fleet',
    width: 110,
    cell: (row) =>
      row.fleet_name === null ? null : (
        <Link
          to="/projects/$project/fleets/$fleet"
          params={{ project: row.project_name, fleet: row.fleet_name }}
        >
          <bdi>{row.fleet_name}</bdi>
        </Link>
      ),
  },
  {
    id: 'gpus',
    header: 'GPUs',
    width: 114,
    yields: 1,
    cell: (row) => (row.instance_type ? gpuText(row.instance_type.resources) || '–' : ''),
  },
  {
    id: 'use',
    header: 'Use',
    width: USE_WIDTH,
    yields: 2,
    notExported: true,
    cell: (row) => <InstancesUseView instances={[row]} />,
  },
  {
    id: 'resources',
    header: 'Resources',
    width: 230,
    hidden: true,
    cell: (row) => row.instance_type && resourcesText(row.instance_type.resources),
  },
  {
    id: 'backend',
    header: 'Backend',
    width: 80,
    yields: 3,
    card: 'detail',
    cell: (row) => backendText(row.backend, row.region),
  },
  { id: 'region', header: 'Region', width: 110, hidden: true, cell: (row) => row.region },
  {
    id: 'type',
    header: 'Instance type',
    width: 130,
    hidden: true,
    cell: (row) => row.instance_type?.name,
  },
  { id: 'hostname', header: 'Address', width: 110, yields: 5, cell: (row) => row.hostname },
  {
    id: 'price',
    header: '$/h',
    width: 84,
    align: 'end',
    cell: (row) => (row.price === null ? '' : pricePerHour(row.price)),
    value: (row) => row.price,
  },
  {
    id: 'created',
    header: 'Created',
    width: 96,
    yields: 4,
    align: 'end',
    card: 'detail',
    cell: (row) => <RelativeTime at={row.created} />,
  },
  {
    id: 'finished',
    header: 'Ended',
    width: 100,
    align: 'end',
    hidden: true,
    cell: (row) => (row.finished_at === null ? '' : <RelativeTime at={row.finished_at} />),
  },
];
