import type { FleetRecord } from '../../model/index.ts';
import type { GangRequest } from '../gang-request.ts';
import type { CapacityLedger } from '../place/capacity-ledger.ts';
import { leastAmounts } from './least.ts';
import { payerOf } from './slots.ts';

/** Fleets of which quotas leave enough for the least that the gang may use. */
export function fleetsWithin(
  { quotas }: Pick<CapacityLedger, 'quotas'>,
  request: GangRequest,
  fleets: readonly FleetRecord[],
): readonly FleetRecord[] {
  if (!quotas.concerns(request.run)) return fleets;
  const least = leastAmounts(request);
  return fleets.filter((fleet) => quotas.lackFor(payerOf(request, fleet), least) === null);
}
