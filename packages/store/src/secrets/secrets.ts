import { projectChange } from '../changes/record-change.ts';
import type { StoreContext, Tx } from '../context/context.ts';
import type { SecretRecord } from '../schema/account-records.ts';
import { secretTable } from '../schema/account-tables.ts';
import type { Secrets } from './types.ts';

export function createSecrets(context: StoreContext): Secrets {
  const { db, cipher } = context;
  return {
    async list(projectId) {
      const rows = await db
        .selectFrom('secrets')
        .selectAll()
        .where('project_id', '=', projectId)
        .orderBy('created_at', 'desc')
        .orderBy('id')
        .execute();
      return rows.map(secretTable.decode);
    },
    async byName(projectId, name) {
      const row = await find(db, projectId, name);
      return row ? { secret: secretTable.decode(row), value: cipher.decrypt(row.value) } : null;
    },
    async values(projectId) {
      const rows = await db
        .selectFrom('secrets')
        .select(['name', 'value'])
        .where('project_id', '=', projectId)
        .execute();
      return Object.fromEntries(rows.map((row) => [row.name, cipher.decrypt(row.value)]));
    },
    put: (secret, extras) =>
      context.write(async ({ tx, add, changed }) => {
        const now = context.now();
        const { value, ...identity } = secret;
        const created: SecretRecord = { ...identity, createdAt: now, updatedAt: now };
        const inserted = await tx
          .insertInto('secrets')
          .values({ ...secretTable.insert(created), value: cipher.encrypt(value) })
          .onConflict((conflict) => conflict.columns(['project_id', 'name']).doNothing())
          .executeTakeFirst();
        if (inserted.numInsertedOrUpdatedRows === 1n) {
          changed(projectChange(secret.projectId, 'secrets'));
          add(extras?.('created', created));
          return { outcome: 'created', secret: created };
        }
        const row = await find(tx, secret.projectId, secret.name);
        if (!row) throw new Error(`secret ${secret.name} vanished while it was written`);
        const known = secretTable.decode(row);
        if (cipher.decrypt(row.value) === value) return { outcome: 'unchanged', secret: known };
        const updated: SecretRecord = { ...known, updatedAt: now };
        await tx
          .updateTable('secrets')
          .set({ value: cipher.encrypt(value), updated_at: now })
          .where('id', '=', known.id)
          .execute();
        changed(projectChange(secret.projectId, 'secrets'));
        add(extras?.('updated', updated));
        return { outcome: 'updated', secret: updated };
      }),
    delete: (projectId, names, extras) =>
      context.write(async ({ tx, add, changed, abort }) => {
        if (names.length === 0) return { type: 'deleted' };
        const rows = await tx
          .deleteFrom('secrets')
          .where('project_id', '=', projectId)
          .where('name', 'in', [...names])
          .returningAll()
          .execute();
        const deleted = rows.map(secretTable.decode);
        const unknown = names.filter((name) => !deleted.some((secret) => secret.name === name));
        if (unknown.length > 0) abort({ type: 'unknown', names: unknown });
        changed(projectChange(projectId, 'secrets'));
        add(extras?.(deleted));
        return { type: 'deleted' };
      }),
  };
}

function find(db: StoreContext['db'] | Tx, projectId: string, name: string) {
  return db
    .selectFrom('secrets')
    .selectAll()
    .where('project_id', '=', projectId)
    .where('name', '=', name)
    .executeTakeFirst();
}
