/** Why a gang has no place although the capacity may be there: a quota leaves too little. */
import type { Refusal } from '@dstack/contract/wire';
import type { FleetRecord } from '../../model/index.ts';
import { inUnits } from '../../quotas/amounts.ts';
import type { GangRequest } from '../gang-request.ts';
import type { CapacityLedger } from '../place/capacity-ledger.ts';
import { candidateFleets, chooseFleet } from '../place/choose-fleet.ts';
import { fleetName } from '../place/fleet-name.ts';
import type { Ask } from '../place/new-capacity.ts';
import { leastAmounts } from './least.ts';
import type { Lack } from './quota-ledger.ts';
import { amountsOfOption, payerOf } from './slots.ts';

/**
 * The quota that keeps the gang from a place; null = that is not the cause. A gang that its quotas admit somewhere,
 * but that finds no capacity there, waits for the capacity.
 */
export function lackOf(ledger: CapacityLedger, request: GangRequest, ask: Ask): Lack | null {
  const { quotas } = ledger;
  if (!quotas.concerns(request.run)) return null;
  const fleets = candidateFleets(ledger, request);
  const least = leastAmounts(request);
  const lacks = fleets.map((fleet) => quotas.lackFor(payerOf(request, fleet), least));
  if (lacks.every((lack) => lack !== null)) return lacks[0] ?? null;
  const option = quotas.suspended(() => chooseFleet(ledger, request, ask));
  return option && quotas.lackFor(payerOf(request, option.fleet), amountsOfOption(option));
}

/** Keeps what the quotas of these fleets leave for the gang, since it comes before those behind it. */
export function holdQuotas(
  { quotas }: Pick<CapacityLedger, 'quotas'>,
  request: GangRequest,
  fleets: readonly FleetRecord[],
): void {
  if (!quotas.concerns(request.run)) return;
  const least = leastAmounts(request);
  for (const fleet of fleets) {
    const lack = quotas.lackFor(payerOf(request, fleet), least);
    if (lack) quotas.hold(lack);
  }
}

export function quotaRefusal(
  ledger: CapacityLedger,
  request: GangRequest,
  { account, resource, used, limit, needed }: Lack,
): Refusal {
  const { quota } = account.state;
  const fleet = ledger.fleets.find(({ id }) => id === quota.fleetId);
  return {
    kind: 'quota',
    resource,
    used: inUnits(resource, used),
    limit: inUnits(resource, limit),
    needed: inUnits(resource, needed),
    of: quota.userId === null ? 'project' : 'user',
    fleet: fleet ? fleetName(ledger, fleet, request) : null,
    held: account.held.has(resource),
  };
}
