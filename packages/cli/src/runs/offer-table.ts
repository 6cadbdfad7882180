import type { InstanceOfferWithAvailability } from '@dstack/contract/wire';
import { instanceResources } from '../format/resources.ts';
import { availability, backendName, backendWithHost, price } from '../format/values.ts';
import { type Column, renderTable, type TableLayout, type TableRow } from '../terminal/table.ts';

export interface OfferTableOptions {
  /** The total number of offers, and the highest price. */
  readonly total: number;
  readonly maxPrice: number | null;
  readonly limit?: number;
  readonly layout: TableLayout;
}

type Offers = readonly InstanceOfferWithAvailability[];

/**
 * Offers of a run: the first one in normal text, the others dim, then the number of hidden offers.
 */
export function renderOfferTable(offers: Offers, options: OfferTableOptions): string {
  const shown = offers.slice(0, options.limit ?? offers.length);
  const columns: Column[] = [
    { header: '#', keep: true },
    { header: 'BACKEND' },
    { header: 'RESOURCES' },
    { header: 'INSTANCE TYPE', optional: 1 },
    { header: 'PRICE', keep: true },
    { header: '' },
  ];
  const rows = shown.map((offer, i): TableRow => {
    const blocks = offer.total_blocks > 1 ? ` (${offer.blocks}/${offer.total_blocks})` : '';
    return dimmed(i > 0, [
      String(i + 1),
      backendWithHost(offer),
      instanceResources(offer.instance.resources, { spot: true }),
      instanceName(offer) + blocks,
      price(offer.price),
      availability(offer.availability),
    ]);
  });
  return renderTable(columns, withEllipsis(rows, options), options.layout) + summary(rows, options);
}

/** Offers of a fleet, with region and spot as columns of their own. */
export function renderFleetOfferTable(offers: Offers, options: OfferTableOptions): string {
  const shown = offers.slice(0, options.limit ?? offers.length);
  const columns: Column[] = [
    { header: '#', keep: true },
    { header: 'BACKEND' },
    { header: 'REGION', optional: 2 },
    { header: 'INSTANCE', optional: 1 },
    { header: 'RESOURCES' },
    { header: 'SPOT', optional: 3 },
    { header: 'PRICE', keep: true },
    { header: '' },
  ];
  const rows = shown.map(
    (offer, i): TableRow =>
      dimmed(i > 0, [
        String(i + 1),
        backendName(offer.backend, offer.region),
        offer.region,
        instanceName(offer),
        instanceResources(offer.instance.resources),
        offer.instance.resources.spot ? 'yes' : 'no',
        price(offer.price),
        availability(offer.availability),
      ]),
  );
  return renderTable(columns, withEllipsis(rows, options), options.layout) + summary(rows, options);
}

function instanceName({ instance, nodes }: Offers[number]): string {
  return nodes ? `${instance.name} and ${nodes.count - 1} more` : instance.name;
}

function dimmed(dim: boolean, cells: readonly string[]): TableRow {
  return dim ? cells.map((text) => ({ text, style: 'secondary' as const })) : cells;
}

function withEllipsis(rows: readonly TableRow[], options: OfferTableOptions): readonly TableRow[] {
  return options.total > rows.length ? [...rows, ['', { text: '...', style: 'secondary' }]] : rows;
}

function summary(rows: readonly TableRow[], options: OfferTableOptions): string {
  if (options.total <= rows.length) return '';
  const dearest = options.maxPrice === null ? '' : `, ${price(options.maxPrice)} max`;
  const text = `Shown ${rows.length} of ${options.total} offers${dearest}`;
  return ` ${options.layout.paint('secondary', text)}\n`;
}
