import type { FleetConfiguration } from '@dstack/contract';
import { isServerHostOnWire } from '@dstack/contract/status';
import type { FleetPlan } from '@dstack/contract/wire';
import { requestedResources } from '../../format/resources.ts';
import { price, range } from '../../format/values.ts';
import { renderFleetOfferTable } from '../../runs/offer-table.ts';
import { renderProperties, type TableLayout } from '../../terminal/table.ts';
import { PLAN_OFFERS } from './flags.ts';

type Property = readonly [name: string, value: string];

/** The plan of a fleet as shown before the question. */
export function fleetPlanText(plan: FleetPlan, layout: TableLayout): string {
  const isCloud = !plan.spec.configuration.ssh_config;
  const blocks = [renderProperties(fleetProperties(plan), layout)];
  if (plan.offers.length > 0) {
    blocks.push(
      renderFleetOfferTable(plan.offers, {
        total: plan.total_offers,
        maxPrice: plan.max_offer_price ?? null,
        limit: PLAN_OFFERS,
        layout,
      }),
    );
  } else if (isCloud) {
    const text = 'No matching instance offers available now (dstack offer shows what there is).';
    blocks.push(`${layout.paint('warning', text)}\n`);
  }
  return `${blocks.join('\n')}\n`;
}

function fleetProperties(plan: FleetPlan): Property[] {
  const spec = plan.effective_spec ?? plan.spec;
  const { configuration, profile } = spec;
  const ssh = configuration.ssh_config;
  const backends = configuration.backends ?? profile.backends;
  const regions = configuration.regions ?? profile.regions;
  const spot = configuration.spot_policy ?? profile.spot_policy ?? 'on-demand';
  const reservation = configuration.reservation ?? profile.reservation;
  const properties: (Property | null)[] = [
    ['Project', plan.project_name],
    ['User', plan.user],
    ['Configuration', spec.configuration_path ?? '?'],
    ['Type', 'fleet'],
    ['Fleet type', fleetType(plan)],
    ['Nodes', ssh ? String(ssh.hosts.length) : nodes(configuration.nodes)],
    ['Placement', configuration.placement ?? 'any'],
    backends ? ['Backends', backends.join(', ')] : null,
    regions ? ['Regions', regions.join(', ')] : null,
    !ssh && configuration.resources
      ? ['Resources', requestedResources(configuration.resources)]
      : null,
    ssh ? null : ['Spot policy', spot],
    reservation ? ['Reservation', reservation] : null,
    ssh ? hostPrices(ssh) : null,
  ];
  return properties.filter((p) => p !== null);
}

/** Official clients print `cloud` for all fleets whose instances backends create. */
export function fleetType({ spec, effective_spec, offers }: FleetPlan): string {
  if ((effective_spec ?? spec).configuration.ssh_config) return 'ssh';
  return offers.length > 0 && offers.every(isServerHostOnWire)
    ? "local (the server's machine)"
    : 'cloud';
}

/** The prices that the owner of the hosts has set; null = none. */
function hostPrices(ssh: NonNullable<FleetConfiguration['ssh_config']>): Property | null {
  const prices = ssh.hosts.map(
    (host) => (typeof host === 'object' && host.price) || ssh.price || 0,
  );
  const [min, max] = [Math.min(...prices), Math.max(...prices)];
  return max > 0 ? ['Price per host', `${range({ min, max }, price)}/h`] : null;
}

function nodes(value: FleetPlan['spec']['configuration']['nodes']): string {
  if (!value) return '-';
  const min = value.min ?? 0;
  const parts = [`min=${min}`, `target=${value.target ?? min}`];
  if (value.max !== null && value.max !== undefined) parts.push(`max=${value.max}`);
  return parts.join(' ');
}
