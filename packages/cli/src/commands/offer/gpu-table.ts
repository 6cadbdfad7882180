import type { GpuGroup } from '@dstack/contract/wire';
import { availability, backendName, gigabytes, range, trimmed } from '../../format/values.ts';
import { renderTable, type TableLayout, type TableRow } from '../../terminal/table.ts';

/** Up to this many regions are listed by name; more are counted. */
const MAX_REGIONS = 3;

/** Offers grouped by device. */
export function renderGpuTable(
  groups: readonly GpuGroup[],
  groupBy: readonly ('backend' | 'region' | 'count')[],
  layout: TableLayout,
): string {
  const byBackend = groupBy.includes('backend');
  const byRegion = groupBy.includes('region');
  const columns = [
    { header: '#', keep: true },
    { header: 'GPU', keep: true },
    { header: 'SPOT', optional: 2 },
    { header: '$/GPU', keep: true },
    { header: byBackend ? 'BACKEND' : 'BACKENDS' },
    ...(byBackend ? [{ header: byRegion ? 'REGION' : 'REGION(S)', optional: 1 }] : []),
    { header: '' },
  ];
  const rows = groups.map(
    (group, i): TableRow => [
      String(i + 1),
      `${group.name}:${gigabytes(group.memory_mib)}:${range(group.count)}`,
      group.spot.join(', '),
      range(group.price, (n) => trimmed(n, 4)),
      byBackend ? backendName(group.backend) : backendsText(group),
      ...(byBackend ? [group.region ?? regionsText(group.regions ?? [])] : []),
      unavailability(group),
    ],
  );
  return renderTable(columns, rows, layout);
}

function backendsText(group: GpuGroup): string {
  const names = (group.backends ?? []).map((b) => backendName(b)).join(', ');
  const regions = regionsText(group.regions ?? []);
  return regions ? `${names} (${regions})` : names;
}

function regionsText(regions: readonly string[]): string {
  return regions.length > MAX_REGIONS ? `${regions.length} regions` : regions.join(', ');
}

/** Shown only if no offer of the group is available. */
function unavailability(group: GpuGroup): string {
  const usable = group.availability.some(
    (a) => a === 'available' || a === 'unknown' || a === 'idle',
  );
  return usable ? '' : group.availability.map(availability).join(', ');
}
