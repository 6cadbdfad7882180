/** The charge of a claim on a machine that was not charged when it began. */
import {
  type Amounts,
  type ChargeRecord,
  chargeOf,
  greatest,
  type Id,
  type Offer,
} from '@dstack/core';
import type { Tx } from '../context/context.ts';
import { intentTable } from '../schema/work-tables.ts';

export interface ClaimedInstance {
  readonly instanceId: Id;
  readonly fleetId: Id;
  /** Null: it is being ordered. */
  readonly offer: Offer | null;
  readonly totalBlocks: number | null;
  readonly blocks: number;
  readonly userId: Id;
  readonly claimedAt: number;
}

/** Null: nothing is known of the machine. Of one that is being ordered, the most that any of its offers uses. */
export async function chargeOnInstance(
  tx: Tx,
  machine: ClaimedInstance,
): Promise<ChargeRecord | null> {
  const amounts = await amountsOn(tx, machine);
  if (amounts === null) return null;
  const { userId, fleetId, claimedAt } = machine;
  return { userId, fleetId, claimedAt, amounts };
}

async function amountsOn(tx: Tx, machine: ClaimedInstance): Promise<Amounts | null> {
  const { offer, blocks, totalBlocks } = machine;
  if (blocks === 0) return null;
  if (offer !== null) return chargeOf(offer, blocks, totalBlocks ?? blocks);
  const offers = await offersOn(tx, machine);
  if (offers.length === 0) return null;
  return greatest(offers.map((one) => chargeOf(one, one.blocks ?? 1, one.total_blocks ?? 1)));
}

/** The machine itself, or those that it may become. */
export async function offersOn(
  tx: Tx,
  { instanceId, offer, blocks }: ClaimedInstance,
): Promise<readonly Offer[]> {
  if (blocks === 0) return [];
  if (offer !== null) return [offer];
  const row = await tx
    .selectFrom('intents')
    .selectAll()
    .where('subject_id', '=', instanceId)
    .where('kind', '=', 'instance.create')
    .orderBy('attempt', 'desc')
    .executeTakeFirst();
  const payload = row ? intentTable.decode(row).payload : null;
  return payload?.kind === 'instance.create' ? payload.offers : [];
}
