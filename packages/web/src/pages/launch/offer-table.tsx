import type { RunPlan } from '@dstack/contract/wire';
import { count, pricePerHour } from '../../domain/format/quantities.ts';
import { backendText, gpuText, resourcesText } from '../../domain/format/resources.ts';
import { availabilityLook } from '../../domain/offers/availability-look.ts';
import { offerName } from '../../domain/offers/offer-name.ts';
import { StatusBadge } from '../../ui/status/status-badge.tsx';
import type { TableColumn } from '../../ui/table/column.ts';
import { DataTable } from '../../ui/table/data-table.tsx';
import styles from './launch.module.css';

type Offer = RunPlan['job_plans'][number]['offers'][number];

interface OfferTableProps {
  readonly offers: readonly Offer[];
  readonly total: number;
}

/** The offers of a plan in the order in which they are tried. */
export function OfferTable({ offers, total }: OfferTableProps) {
  const rows = offers.map((offer, index) => ({ offer, index }));
  return (
    <>
      <DataTable
        label="Offers"
        inline
        rows={rows}
        columns={COLUMNS}
        rowId={({ index }) => String(index)}
        rowName={({ offer }) => offer.instance.name}
        empty={
          <p className={styles.empty}>
            There is none in a fleet that could take the run now. The notes and fleets above name
            the reasons.
          </p>
        }
      />
      {total > offers.length ? (
        <p className={styles.more}>{count(total - offers.length)} more offers are not shown.</p>
      ) : null}
    </>
  );
}

interface OfferRow {
  readonly offer: Offer;
  readonly index: number;
}

const COLUMNS: readonly TableColumn<OfferRow>[] = [
  {
    id: 'instance',
    header: 'Instance',
    width: 108,
    grow: true,
    card: 'title',
    cell: ({ offer }) => offerName(offer),
  },
  {
    id: 'place',
    header: 'Backend',
    width: 96,
    yields: 1,
    card: 'detail',
    cell: ({ offer }) => placeText(offer),
  },
  {
    id: 'resources',
    header: 'Resources',
    width: 132,
    card: 'detail',
    cell: ({ offer: { instance } }) =>
      `${gpuText(instance.resources) || resourcesText(instance.resources)}${instance.resources.spot ? ' (spot)' : ''}`,
  },
  {
    id: 'availability',
    header: 'State',
    width: 122,
    card: 'status',
    cell: ({ offer }) => <StatusBadge look={availabilityLook(offer.availability)} />,
  },
  {
    id: 'price',
    header: '$/h',
    width: 84,
    align: 'end',
    card: 'detail',
    cell: ({ offer }) => pricePerHour(offer.price),
  },
];

function placeText({ backend, region: ofBackend, hostname }: Offer): string {
  const name = backendText(backend, ofBackend) ?? '';
  const region = hostname ?? ofBackend;
  return region === '' || region === name ? name : `${name} ${region}`;
}
