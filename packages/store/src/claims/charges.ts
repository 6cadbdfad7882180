/** Keeps what is used of quotas equal to the sum over claims, in the transaction that changes a claim. */
import {
  type Amounts,
  type Change,
  type ChargeRecord,
  chargedUser,
  type Id,
  minus,
  plus,
  type QuotaRecord,
  termsAmounts,
} from '@dstack/core';
import { sql } from 'kysely';
import { forIds } from '../base/query.ts';
import type { Tx } from '../context/context.ts';
import { quotaTable } from '../schema/resource-tables.ts';

/** A claim before and after a change. */
interface ChangedClaim {
  readonly projectId: Id;
  readonly before: ChargeRecord | null;
  readonly after: ChargeRecord | null;
}

/** Before the rows are written: the charges that the changes replace. Most decisions change none. */
export async function changedClaims(
  tx: Tx,
  changes: readonly Change[],
  postgres: boolean,
): Promise<ChangedClaim[]> {
  const after = new Map<Id, ChargeRecord | null>();
  for (const change of changes) {
    if (change.type === 'job.delete') after.set(change.id, null);
    if (change.type !== 'job.update' || change.set.charge === undefined) continue;
    after.set(change.id, change.set.charge);
  }
  if (after.size === 0) return [];
  const rows = await forIds([...after.keys()], (slice) =>
    tx.selectFrom('jobs').select(['id', 'project_id', 'charge']).where('id', 'in', slice).execute(),
  );
  const found = new Map(rows.map((row) => [row.id, row]));
  const claims = [...found.values()]
    .map((row) => ({
      projectId: row.project_id,
      before: decodeCharge(row.charge),
      after: after.get(row.id) ?? null,
    }))
    .filter((claim) => claim.before !== null || claim.after !== null);
  // Before any row is locked: a transaction that counts claims holds this lock while it writes jobs.
  for (const id of projectsOf(claims)) await lockQuotas(tx, id, postgres, 'shared');
  return claims;
}

const projectsOf = (claims: readonly ChangedClaim[]): Id[] =>
  [...new Set(claims.map(({ projectId }) => projectId))].sort();

export function decodeCharge(column: unknown): ChargeRecord | null {
  return typeof column === 'string' ? (JSON.parse(column) as ChargeRecord) : null;
}

/**
 * Adds what the claims use now, and subtracts what they used before. False: a new claim exceeds a limit, which another
 * server has lowered or filled since the decision was made; the transaction must be rolled back.
 */
export async function settleClaims(tx: Tx, claims: readonly ChangedClaim[]): Promise<boolean> {
  if (claims.length === 0) return true;
  const quotas = await quotasOf(tx, projectsOf(claims));
  for (const use of usesOf(quotas, claims)) {
    if (!(await settleUse(tx, use))) return false;
  }
  return true;
}

/** The change of the use of one quota, for one user or for all together. */
interface ChangedUse {
  readonly quota: QuotaRecord;
  readonly user: string;
  delta: Amounts;
  /** The part of `delta` that new claims use. */
  claimed: Amounts;
}

/** In one order, so that two transactions do not wait for each other in a circle. */
function usesOf(quotas: readonly QuotaRecord[], claims: readonly ChangedClaim[]): ChangedUse[] {
  const uses = new Map<string, ChangedUse>();
  const add = (projectId: Id, charge: ChargeRecord, change: (use: ChangedUse) => void) => {
    for (const quota of quotas) {
      const user = chargedUser(quota, { projectId, ...charge });
      if (user === null) continue;
      const key = `${quota.id} ${user}`;
      const use = uses.get(key) ?? { quota, user, delta: {}, claimed: {} };
      uses.set(key, use);
      change(use);
    }
  };
  for (const { projectId, before, after } of claims) {
    if (before) {
      add(projectId, before, (use) => {
        use.delta = minus(use.delta, before.amounts);
      });
    }
    if (after === null) continue;
    add(projectId, after, (use) => {
      use.delta = plus(use.delta, after.amounts);
      if (before === null) use.claimed = plus(use.claimed, after.amounts);
    });
  }
  return [...uses].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, use]) => use);
}

async function settleUse(tx: Tx, { quota, user, delta, claimed }: ChangedUse): Promise<boolean> {
  const rows = Object.entries(delta)
    .filter(([, used]) => used !== 0)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([resource, used]) => ({ quota_id: quota.id, user_id: user, resource, used }));
  if (rows.length === 0) return true;
  const after = await tx
    .insertInto('quota_uses')
    .values(rows)
    .onConflict((conflict) =>
      conflict
        .columns(['quota_id', 'user_id', 'resource'])
        .doUpdateSet({ used: sql<number>`quota_uses.used + excluded.used` }),
    )
    .returning(['resource', 'used'])
    .execute();
  const limit = termsAmounts(quota.limits);
  return after.every(({ resource, used }) => {
    const most = limit[resource];
    return most === undefined || (claimed[resource] ?? 0) === 0 || Number(used) <= most;
  });
}

export async function quotasOf(tx: Tx, projectIds: readonly Id[]): Promise<QuotaRecord[]> {
  const rows = await forIds(projectIds, (slice) =>
    tx.selectFrom('quotas').selectAll().where('project_id', 'in', slice).execute(),
  );
  return rows.map((row) => quotaTable.decode(row)).sort((a, b) => (a.id < b.id ? -1 : 1));
}

/**
 * A transaction that counts the claims of a project blocks those that change them until the commit; these do not block each other.
 * On SQLite the transaction has the database to itself.
 */
export async function lockQuotas(
  tx: Tx,
  projectId: Id,
  postgres: boolean,
  mode: 'shared' | 'alone',
): Promise<void> {
  if (!postgres) return;
  const lock = sql.raw(mode === 'alone' ? 'pg_advisory_xact_lock' : 'pg_advisory_xact_lock_shared');
  const scope = `quotas_${projectId}`;
  await sql`select ${lock}(hashtextextended(${scope}, 0))`.execute(tx);
}
