import type { OfferGrouping } from '../../data/offers/offer-queries.ts';
import { availabilityLook } from '../../domain/offers/availability-look.ts';
import type { OfferRow } from '../../domain/offers/offer-rows.ts';
import { StatusBadge } from '../../ui/status/status-badge.tsx';
import type { TableColumn } from '../../ui/table/column.ts';

/** Those that have something to show for this grouping. */
export function offerColumns(
  kind: 'gpu' | 'cpu',
  grouping: OfferGrouping,
): readonly TableColumn<OfferRow>[] {
  const ofGpus = kind === 'gpu' && grouping !== 'single';
  const left = [ofGpus ? 'resources' : '', grouping === 'gpu' ? 'region' : ''];
  return allColumns(ofGpus ? 'GPU' : 'offer').filter(({ id }) => !left.includes(id));
}

/** `unit`: what a price is of. */
function allColumns(unit: 'GPU' | 'offer'): readonly TableColumn<OfferRow>[] {
  return [
    {
      id: 'name',
      header: 'Device',
      width: 160,
      grow: true,
      locked: true,
      card: 'title',
      cell: ({ name }) => name,
    },
    { id: 'count', header: 'Count', width: 90, card: 'detail', cell: ({ count }) => count },
    {
      id: 'resources',
      header: 'Resources',
      width: 230,
      cell: ({ resources }) => resources,
    },
    {
      id: 'backend',
      header: 'Backend',
      width: 130,
      card: 'detail',
      cell: ({ backend }) => backend,
    },
    { id: 'region', header: 'Region', width: 150, cell: ({ region }) => region },
    { id: 'spot', header: 'Kind', width: 130, yields: 1, cell: ({ spot }) => spot },
    {
      id: 'availability',
      header: 'State',
      width: 122,
      card: 'status',
      cell: ({ availability }) => <StatusBadge look={availabilityLook(availability)} />,
    },
    {
      id: 'price',
      header: unit === 'GPU' ? '$/h per GPU' : '$/h',
      width: 140,
      align: 'end',
      locked: true,
      card: 'detail',
      cell: ({ price }) => price,
    },
  ];
}
