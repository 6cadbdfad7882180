import type { FleetPlan } from '@dstack/contract/wire';
import { CircleAlert } from 'lucide-react';
import type { ReactNode } from 'react';
import { count, money, plural, pricePerHour } from '../../domain/format/quantities.ts';
import { backendText, resourcesText } from '../../domain/format/resources.ts';
import { Banner } from '../../ui/feedback/banner.tsx';
import { Panel } from '../../ui/panel/panel.tsx';
import type { TableColumn } from '../../ui/table/column.ts';
import { DataTable } from '../../ui/table/data-table.tsx';

type Offer = FleetPlan['offers'][number];

const COLUMNS: readonly TableColumn<Offer>[] = [
  {
    id: 'resources',
    header: 'Offer',
    width: 220,
    grow: true,
    card: 'title',
    cell: (offer) => resourcesText(offer.instance.resources),
  },
  {
    id: 'backend',
    header: 'Backend',
    width: 130,
    card: 'detail',
    cell: (offer) => [backendText(offer.backend, offer.region), offer.region].join(' '),
  },
  {
    id: 'availability',
    header: 'Availability',
    width: 120,
    card: 'detail',
    cell: (offer) => offer.availability.replaceAll('_', ' '),
  },
  {
    id: 'price',
    header: '$/h',
    width: 80,
    align: 'end',
    card: 'status',
    cell: (offer) => pricePerHour(offer.price),
  },
];

/** The effect that applying the fleet would have. `actions`: the button that applies it. */
export function FleetPlanPanel(props: { readonly plan: FleetPlan; readonly actions: ReactNode }) {
  const { plan, actions } = props;
  const { ssh_config } = plan.spec.configuration;
  const [, ...rest] = plan.offers;
  return (
    <Panel title="Plan" actions={actions}>
      {plan.current_resource === null ? (
        <p>
          {ssh_config
            ? `${plural(ssh_config.hosts.length, 'host')} will be connected.`
            : `${offersText(plan)}`}
        </p>
      ) : (
        <Banner tone="warning" icon={CircleAlert}>
          {isPossible(plan)
            ? `Fleet ${plan.current_resource.name} exists: it is changed in place.`
            : `Fleet ${plan.current_resource.name} exists and cannot be changed in place like this. Delete it first, or choose another name.`}
        </Banner>
      )}
      {plan.notes?.map((note) => (
        <p key={note}>{note}</p>
      ))}
      {ssh_config || plan.offers.length === 0 ? null : (
        <DataTable
          label="Offers"
          rows={plan.offers.slice(0, rest.length + 1)}
          columns={COLUMNS}
          rowId={(offer) =>
            `${offer.backend} ${offer.region} ${offer.instance.name} ${offer.price}`
          }
          rowName={(offer) => offer.instance.name}
          empty={null}
          inline
        />
      )}
    </Panel>
  );
}

/** A fleet that exists can be changed only if the server can do it in place. */
export const isPossible = ({ current_resource, action }: FleetPlan): boolean =>
  current_resource === null || action === 'update';

function offersText({ total_offers, max_offer_price, spec }: FleetPlan): string {
  const { nodes } = spec.configuration;
  const begins =
    nodes && nodes.min > 0
      ? `${plural(nodes.min, 'instance')} will be created at once.`
      : 'Instances are created when runs need them.';
  if (total_offers === 0) return `${begins} No offer matches now.`;
  const price =
    max_offer_price === null || max_offer_price === 0 ? '' : `, up to ${money(max_offer_price)}/h`;
  return `${begins} ${count(total_offers)} offers match${price}.`;
}
