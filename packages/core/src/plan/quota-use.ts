/** The use of quotas by a planned run, and its use of capacity that others are guaranteed. */
import { resourceText } from '@dstack/contract/wire';
import type { ClaimState, QuotaState } from '../model/index.ts';
import type { GangRequest } from '../placement/gang-request.ts';
import type { CapacityLedger } from '../placement/place/capacity-ledger.ts';
import { candidateFleets, chooseFleet } from '../placement/place/choose-fleet.ts';
import { fleetName } from '../placement/place/fleet-name.ts';
import type { Ask } from '../placement/place/new-capacity.ts';
import { leastAmounts } from '../placement/quota/least.ts';
import { amountsOfOption, payerOf } from '../placement/quota/slots.ts';
import { inUnits } from '../quotas/amounts.ts';
import { claimsOn } from '../quotas/claims.ts';
import { Guarantees } from '../quotas/guarantees.ts';
import { batchesOf } from './batches.ts';
import type { PlanInput } from './input.ts';
import { ledgerOf } from './ledger.ts';

/** Amounts as people write them. */
export interface PlannedQuota {
  readonly of: 'project' | 'user';
  /** Null: on all fleets. */
  readonly fleet: string | null;
  readonly resource: string;
  readonly used: number;
  readonly limit: number;
  /** The need of the first replica, where it would be placed now; else its least need; null = not known. */
  readonly needed: number | null;
}

/** Each limit that the run would use some of. */
export function quotaUse(ledger: CapacityLedger, request: GangRequest, ask: Ask): PlannedQuota[] {
  const { quotas } = ledger;
  if (!quotas.concerns(request.run)) return [];
  const option = quotas.suspended(() => chooseFleet(ledger, request, ask));
  const fleet = option?.fleet ?? candidateFleets(ledger, request)[0];
  if (!fleet) return [];
  const amounts = option ? amountsOfOption(option) : leastAmounts(request);
  // How much of an instance it needs is not known before it has a place.
  const isKnown = (resource: string) => option !== null || resource !== 'instances';
  return quotas
    .usesOf(payerOf(request, fleet), amounts)
    .map(({ account, resource, used, limit, needed }) => {
      const { quota } = account.state;
      const named = ledger.fleets.find(({ id }) => id === quota.fleetId);
      return {
        of: quota.userId === null ? ('project' as const) : ('user' as const),
        fleet: named ? fleetName(ledger, named, request) : null,
        resource,
        used: inUnits(resource, used),
        limit: inUnits(resource, limit),
        needed: isKnown(resource) ? inUnits(resource, needed) : null,
      };
    });
}

/** Whether some project of the pool is guaranteed anything. */
export const isAnyGuaranteed = ({ quotas = [] }: Pick<PlanInput, 'quotas'>): boolean =>
  quotas.some(({ quota }) => quota.guaranteed !== null);

/**
 * Why the run would use what other projects are guaranteed; null = it would not. `claims`: of the whole pool.
 */
export function borrowing(input: PlanInput, claims: readonly ClaimState[]): string | null {
  const { projectId, projectName, quotas = [] } = input;
  const ledger = ledgerOf(input);
  const [batch] = batchesOf(input);
  if (!batch || !isAnyGuaranteed(input)) return null;
  const amounts = leastAmounts(batch.request);
  const fleets = candidateFleets(ledger, batch.request).map(({ id }) => id);
  if (!quotas.some((state) => isOwed(state, projectId, fleets, amounts))) return null;
  const guarantees = new Guarantees(quotas, claimsOn(claims, input.instances));
  const excess = fleets.map((fleetId) => guarantees.excessOf({ projectId, fleetId, amounts }));
  const [first] = excess;
  if (first === undefined || excess.includes(null)) return null;
  if (first === 'none' || first === null) {
    return `project ${projectName} is guaranteed nothing of what the run needs`;
  }
  const { resource, used, most, needed } = first;
  const text = (amount: number) => resourceText(resource, inUnits(resource, amount));
  return `project ${projectName} is guaranteed ${text(most)} and uses ${text(used)}, the run needs ${text(needed)}`;
}

/** Whether another project is guaranteed a part of what the run would use. */
function isOwed(
  { quota }: QuotaState,
  projectId: string,
  fleets: readonly string[],
  amounts: Readonly<Record<string, number>>,
): boolean {
  if (quota.projectId === projectId || quota.guaranteed === null) return false;
  if (quota.fleetId !== null && !fleets.includes(quota.fleetId)) return false;
  const { gpu, cpu, memory, instances, cost } = quota.guaranteed;
  const named = { gpu, cpu, memory, instances, cost };
  return Object.entries(named).some(
    ([resource, most]) => most !== null && (amounts[resource] ?? 0) > 0,
  );
}
