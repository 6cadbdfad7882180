/** Counts what the present claims of a project use of its quotas. */
import {
  type Amounts,
  type ChargeRecord,
  chargedUser,
  type Id,
  type InstanceRecord,
  plus,
  type QuotaRecord,
} from '@dstack/core';
import { sql } from 'kysely';
import { recordChange } from '../changes/record-change.ts';
import type { Write } from '../context/context.ts';
import { instanceTable, jobTable } from '../schema/work-tables.ts';
import { decodeCharge } from './charges.ts';
import { chargeOnInstance } from './claimed-instance.ts';

/** A claim that changed while it was counted: repeat the transaction. */
export const CHANGED = Symbol('a claim has changed');

/**
 * Replaces the counters of these quotas, which are of one project, whose quotas are locked. Claims from before the
 * project had a quota are charged now.
 */
export async function countClaims(
  write: Write,
  projectId: Id,
  quotas: readonly QuotaRecord[],
): Promise<void> {
  const { tx } = write;
  await dropLeftovers(write, projectId);
  const charges = await chargesOf(write, projectId);
  for (const quota of quotas) {
    const used = new Map<string, Amounts>();
    for (const charge of charges) {
      const user = chargedUser(quota, { projectId, ...charge });
      if (user !== null) used.set(user, plus(used.get(user) ?? {}, charge.amounts));
    }
    const rows = [...used].flatMap(([user_id, amounts]) =>
      Object.entries(amounts).map(([resource, sum]) => ({
        ...{ quota_id: quota.id, user_id, resource, used: sum },
      })),
    );
    await tx.deleteFrom('quota_uses').where('quota_id', '=', quota.id).execute();
    for (const row of rows) await tx.insertInto('quota_uses').values(row).execute();
  }
}

/** A server of an older version releases a claim and leaves its charge. */
async function dropLeftovers({ tx, changed }: Write, projectId: Id): Promise<void> {
  const rows = await tx
    .updateTable('jobs')
    .set({ charge: null, version: sql`version + 1` })
    .where('project_id', '=', projectId)
    .where('instance_id', 'is', null)
    .where('charge', 'is not', null)
    .returning(['id', 'version'])
    .execute();
  changed(...rows.map(({ id, version }) => recordChange('job', id, version)));
}

async function chargesOf(write: Write, projectId: Id): Promise<ChargeRecord[]> {
  const { tx } = write;
  const rows = await tx
    .selectFrom('jobs as j')
    .innerJoin('runs as r', 'r.id', 'j.run_id')
    .select(['j.id', 'j.version', 'j.charge', 'j.instance_id', 'j.claimed_blocks'])
    .select(['j.provisioned_at', 'j.submitted_at', 'r.user_id'])
    .where('j.project_id', '=', projectId)
    .where('j.instance_id', 'is not', null)
    .orderBy('j.id')
    .execute();
  const charges: ChargeRecord[] = [];
  for (const row of rows) {
    const known = decodeCharge(row.charge);
    if (known !== null) {
      charges.push(known);
      continue;
    }
    const instance = await instanceOf(write, row.instance_id ?? '');
    if (instance === null) continue;
    const { id: instanceId, fleetId, offer, totalBlocks } = instance;
    const charge = await chargeOnInstance(tx, {
      ...{ instanceId, fleetId, offer, totalBlocks, blocks: row.claimed_blocks },
      ...{ userId: row.user_id, claimedAt: row.provisioned_at ?? row.submitted_at },
    });
    if (charge === null) continue;
    await chargeJob(write, row, charge);
    charges.push(charge);
  }
  return charges;
}

async function instanceOf({ tx }: Write, id: Id): Promise<InstanceRecord | null> {
  const row = await tx.selectFrom('instances').selectAll().where('id', '=', id).executeTakeFirst();
  return row ? instanceTable.decode(row) : null;
}

async function chargeJob(
  { tx, changed, abort }: Write,
  { id, version }: { readonly id: Id; readonly version: number },
  charge: ChargeRecord,
): Promise<void> {
  const result = await tx
    .updateTable('jobs')
    .set({ ...jobTable.update({ charge }), version: version + 1 })
    .where('id', '=', id)
    .where('version', '=', version)
    .executeTakeFirst();
  if (result.numUpdatedRows !== 1n) abort(CHANGED);
  changed(recordChange('job', id, version + 1));
}
