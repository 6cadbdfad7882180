/** The use of quotas by slots and gangs, and the slots that quotas admit. */
import type {
  Amounts,
  ChargeRecord,
  FleetRecord,
  Id,
  RunRecord,
  Timestamp,
} from '../../model/index.ts';
import type { PoolOffer } from '../../offers/pool.ts';
import type { Payer } from '../../quotas/accounts.ts';
import { greatest, plus, times } from '../../quotas/amounts.ts';
import { chargeOf } from '../../quotas/charge.ts';
import type { ShareLedger } from '../../shares/share-ledger.ts';
import type { GangRequest } from '../gang-request.ts';
import type { ExistingSlot, FleetOption, Slot } from '../place/fleet-option.ts';
import { triedOffers } from '../place/new-capacity.ts';
import type { Lending } from './lending.ts';
import type { QuotaLedger } from './quota-ledger.ts';
import { shareOfSlot } from './share-of-slot.ts';

/** The accounts of a ledger beside its capacity. */
interface Accounts {
  readonly quotas: QuotaLedger;
  readonly lending: Lending;
}

interface ClaimAccounts {
  readonly quotas: QuotaLedger;
  readonly shares: ShareLedger | null;
}

type Paying = { readonly projectId: Id; readonly userId?: Id };

export function payerOf({ run }: { readonly run: Paying }, fleet: Pick<FleetRecord, 'id'>): Payer {
  return { projectId: run.projectId, userId: run.userId ?? null, fleetId: fleet.id };
}

/** For a new instance, the most that any offer uses that may be tried; corrected once one of them is chosen. */
export function amountsOfSlot(slot: Slot): Amounts {
  if (slot.kind === 'existing') {
    return chargeOfPart(slot);
  }
  return greatest(triedOffers(slot.offers).map(chargeOfOffer));
}

/** The offer of a machine that takes jobs is known; that of the share has whole CPUs only. */
function chargeOfPart({
  offer,
  blocks,
  instance,
}: Pick<ExistingSlot, 'offer' | 'blocks' | 'instance'>): Amounts {
  return chargeOf(instance.offer ?? offer, blocks, instance.totalBlocks ?? blocks);
}

type Offered = Parameters<typeof chargeOf>[0];

const chargeOfOffer = (offer: Offered): Amounts =>
  chargeOf(offer, offer.blocks ?? 1, offer.total_blocks ?? 1);

/** The charge of the claim of a slot; null = the project of the run has no quota, and its pool no weight. */
export function claimCharge(
  { quotas, shares }: ClaimAccounts,
  run: Pick<RunRecord, 'projectId' | 'userId'>,
  fleet: Pick<FleetRecord, 'id'>,
  slot: Slot,
  claimedAt: Timestamp,
): ChargeRecord | null {
  if (shares === null && !quotas.concerns(run)) return null;
  const share = shares && { share: shareOfSlot(shares, slot) };
  const amounts = amountsOfSlot(slot);
  return { userId: run.userId, fleetId: fleet.id, claimedAt, amounts, ...share };
}

export function amountsOfOption({ slots }: Pick<FleetOption, 'slots'>): Amounts {
  return slots.map(amountsOfSlot).reduce(plus, {});
}

/** Whether quotas leave enough for a node on this share of an existing instance, and no other gang is entitled to it. */
export function admitsShare(
  { quotas, lending }: Accounts,
  request: GangRequest,
  fleet: FleetRecord,
  { offer, blocks, instance }: PoolOffer,
): boolean {
  if (!lending.mayTake(instance.id)) return false;
  if (!quotas.concerns(request.run)) return true;
  const amounts = chargeOfPart({ offer, blocks, instance });
  return quotas.lackFor(payerOf(request, fleet), amounts) === null;
}

/** The option without the offers that exceed a quota; null = quotas do not admit it. */
export function admitted(
  { quotas, lending }: Accounts,
  request: GangRequest,
  option: FleetOption,
): FleetOption | null {
  const grows = option.slots.some((slot) => slot.kind === 'new');
  if (grows && !lending.mayGrow(option.fleet.id)) return null;
  if (!quotas.concerns(request.run)) return option;
  const payer = payerOf(request, option.fleet);
  const existing = option.slots.filter((slot) => slot.kind === 'existing');
  const fresh = option.slots.length - existing.length;
  const fixed = existing.map(amountsOfSlot).reduce(plus, {});
  const fits = (amounts: Amounts) => quotas.lackFor(payer, plus(fixed, amounts)) === null;
  if (fresh === 0) return fits({}) ? option : null;
  const slots = option.slots.map((slot): Slot | null => {
    if (slot.kind === 'existing') return slot;
    const offers = slot.offers.filter((offer) => fits(times(chargeOfOffer(offer), fresh)));
    return offers.length > 0 ? { ...slot, offers } : null;
  });
  if (!slots.every((slot) => slot !== null)) return null;
  const found = { ...option, slots };
  return quotas.lackFor(payer, amountsOfOption(found)) === null ? found : null;
}
