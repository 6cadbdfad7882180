/** Counts what present claims use of the shares of a pool. */
import {
  type ChargeRecord,
  type GpuPrices,
  gpuWeights,
  type Id,
  isShared,
  type Offer,
  type ShareCharge,
  shareRate,
} from '@dstack/core';
import { sql } from 'kysely';
import { forIds, notDeleted } from '../base/query.ts';
import { readGpuPrices } from '../caches/gpu-prices.ts';
import { recordChange } from '../changes/record-change.ts';
import { decodeCharge, lockQuotas, quotasOf } from '../claims/charges.ts';
import { type ClaimedInstance, chargeOnInstance, offersOn } from '../claims/claimed-instance.ts';
import type { StoreContext, Tx, Write } from '../context/context.ts';
import { jobTable } from '../schema/work-tables.ts';
import { type Holder, settleShare } from './settle-shares.ts';
import type { ShareClock } from './share-time.ts';

type Counting = Pick<StoreContext, 'postgres' | 'shareHalfLife' | 'now'>;

async function projectsOf(tx: Tx, poolId: Id): Promise<Id[]> {
  const rows = await tx
    .selectFrom('projects')
    .select('id')
    .where('pool_id', '=', poolId)
    .where(notDeleted('deleted'))
    .orderBy('id')
    .execute();
  return rows.map(({ id }) => id);
}

/**
 * Where the pool is shared by weight: counts claims from before it was, or from before their project came to it. `all`: sets
 * what users use to the sums over all of their claims, as servers of an older version release some without counting.
 * Until the commit, no claim of the pool changes.
 */
export async function countShares(
  write: Write,
  context: Counting,
  poolId: Id,
  which: 'missing' | 'all' = 'missing',
): Promise<void> {
  const { tx } = write;
  const projectIds = await projectsOf(tx, poolId);
  const quotas = await quotasOf(tx, projectIds);
  if (!isShared(quotas, projectIds.length === 1)) return;
  for (const id of projectIds) await lockQuotas(tx, id, context.postgres, 'alone');
  const sums = new Map<string, { readonly holder: Holder; rate: number }>();
  const of = (holder: Holder) => {
    const key = `${holder.projectId} ${holder.userId}`;
    const known = sums.get(key) ?? { holder, rate: 0 };
    sums.set(key, known);
    return known;
  };
  if (which === 'all') for (const holder of await knownHolders(tx, projectIds)) of(holder);
  const claims = await claimsOf(tx, context, projectIds, which);
  const isNew = claims.some(({ charge }) => !charge?.share);
  const prices = isNew ? await readGpuPrices(tx, context.postgres, poolId) : {};
  for (const claim of claims) {
    const charge = claim.charge?.share ? claim.charge : await rated(write, claim, prices);
    const { projectId } = claim;
    if (charge?.share) of({ projectId, userId: charge.userId }).rate += charge.share.rate;
  }
  const clock: ShareClock = { ...context, now: context.now() };
  const inOrder = [...sums].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [, { holder, rate }] of inOrder) {
    await settleShare(tx, holder, clock, (present) => (which === 'all' ? rate : present + rate));
  }
}

async function knownHolders(tx: Tx, projectIds: readonly Id[]): Promise<Holder[]> {
  const rows = await forIds(projectIds, (slice) =>
    tx
      .selectFrom('shares')
      .select(['project_id', 'user_id'])
      .where('project_id', 'in', slice)
      .execute(),
  );
  return rows.map((row) => ({ projectId: row.project_id, userId: row.user_id }));
}

interface Claim extends ClaimedInstance {
  readonly jobId: Id;
  readonly projectId: Id;
  readonly userId: Id;
  readonly claimedAt: number;
  readonly charge: ChargeRecord | null;
}

async function claimsOf(
  tx: Tx,
  { postgres }: Counting,
  projectIds: readonly Id[],
  which: 'missing' | 'all',
): Promise<Claim[]> {
  const charge = sql.raw(postgres ? 'j.charge::text' : 'j.charge');
  const rows = await forIds(projectIds, (slice) =>
    tx
      .selectFrom('jobs as j')
      .innerJoin('instances as i', 'i.id', 'j.instance_id')
      .innerJoin('runs as r', 'r.id', 'j.run_id')
      .select(['j.id', 'j.project_id', 'j.charge', 'j.claimed_blocks', 'r.user_id'])
      .select(['j.provisioned_at', 'j.submitted_at'])
      .select(['i.id as instance_id', 'i.fleet_id', 'i.offer', 'i.total_blocks'])
      .where('j.project_id', 'in', slice)
      .$if(which === 'missing', (query) =>
        query.where(sql<boolean>`(j.charge is null or ${charge} not like '%"share":%')`),
      )
      .orderBy('j.id')
      .execute(),
  );
  return rows.map((row) => ({
    ...{ jobId: row.id, projectId: row.project_id, userId: row.user_id },
    ...{ instanceId: row.instance_id, fleetId: row.fleet_id, blocks: row.claimed_blocks },
    offer: typeof row.offer === 'string' ? (JSON.parse(row.offer) as Offer) : null,
    totalBlocks: row.total_blocks,
    claimedAt: Number(row.provisioned_at ?? row.submitted_at),
    charge: decodeCharge(row.charge),
  }));
}

/** Null: nothing is known of the machine, or the claim has ended meanwhile. */
async function rated(
  { tx, changed }: Write,
  claim: Claim,
  prices: GpuPrices,
): Promise<ChargeRecord | null> {
  const share = await shareOn(tx, claim, prices);
  const charged = claim.charge ?? (share && (await chargeOnInstance(tx, claim)));
  if (share === null || charged === null) return null;
  const charge = { ...charged, share };
  const row = await tx
    .updateTable('jobs')
    .set({ ...jobTable.update({ charge }), version: sql<number>`version + 1` })
    .where('id', '=', claim.jobId)
    .where('instance_id', '=', claim.instanceId)
    .returning('version')
    .executeTakeFirst();
  if (!row) return null;
  changed(recordChange('job', claim.jobId, row.version));
  return charge;
}

async function shareOn(tx: Tx, claim: Claim, prices: GpuPrices): Promise<ShareCharge | null> {
  const offers = await offersOn(tx, claim);
  if (offers.length === 0) return null;
  const weights = gpuWeights(offers, prices);
  const rates = offers.map((offer) => shareRate(offer, partOf(claim, offer), weights));
  return { rate: Math.max(...rates), weights };
}

const partOf = ({ blocks, totalBlocks, offer: known }: Claim, offer: Offer) =>
  known
    ? { blocks, totalBlocks: totalBlocks ?? blocks }
    : { blocks: offer.blocks ?? 1, totalBlocks: offer.total_blocks ?? 1 };
