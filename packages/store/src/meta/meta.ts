import type { Id, Timestamp } from '@dstack/core';
import { sql } from 'kysely';
import { retireServiceTokens } from '../access/access.ts';
import { DATABASE_NOW } from '../base/database-clock.ts';
import { forIds } from '../base/query.ts';
import { tokenHash } from '../base/token-hash.ts';
import { projectChange } from '../changes/record-change.ts';
import type { StoreContext, Tx } from '../context/context.ts';
import { namedInsert } from '../context/named-insert.ts';
import { serviceTokenTable } from '../schema/account-tables.ts';
import { installationKey } from './installation-key.ts';
import { createJobTokens } from './job-tokens.ts';
import type { Meta, ServiceTokens, UsedTokens } from './types.ts';

const SERVER_ID = 'server_id';

export function createMeta(context: StoreContext): Meta {
  const { db } = context;

  async function get(key: string): Promise<string | null> {
    const row = await db
      .selectFrom('server_meta')
      .select('value')
      .where('key', '=', key)
      .executeTakeFirst();
    return row?.value ?? null;
  }

  async function setOnce(key: string, value: string): Promise<string> {
    await db
      .insertInto('server_meta')
      .values({ key, value })
      .onConflict((conflict) => conflict.column('key').doNothing())
      .execute();
    return (await get(key)) ?? value;
  }

  async function timeIn(tx: Tx): Promise<Timestamp> {
    if (!context.postgres) return context.now();
    const { rows } = await sql<{ time: number }>`select ${DATABASE_NOW} as time`.execute(tx);
    return Number(rows[0]?.time);
  }

  return {
    serverId: async () => (await get(SERVER_ID)) ?? setOnce(SERVER_ID, context.newId()),
    get,
    setOnce,
    async set(key, value) {
      await db
        .insertInto('server_meta')
        .values({ key, value })
        .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
        .execute();
    },
    amend: (key, change) =>
      context.write(async ({ tx }) => {
        // A missing row cannot be locked.
        if (context.postgres) {
          const absent = { key, value: '' };
          await tx
            .insertInto('server_meta')
            .values(absent)
            .onConflict((conflict) => conflict.column('key').doNothing())
            .execute();
        }
        const row = await tx
          .selectFrom('server_meta')
          .select('value')
          .where('key', '=', key)
          .$if(context.postgres, (query) => query.forUpdate())
          .executeTakeFirst();
        const { value, result } = change(row?.value || null, await timeIn(tx));
        await tx
          .insertInto('server_meta')
          .values({ key, value })
          .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
          .execute();
        return result;
      }),
    take: (key, extras) =>
      context.write(async ({ tx, add }) => {
        const { numDeletedRows } = await tx
          .deleteFrom('server_meta')
          .where('key', '=', key)
          .executeTakeFirst();
        if (numDeletedRows === 0n) return false;
        add(extras);
        return true;
      }),
    async encryptedSample() {
      const row = await db
        .selectFrom('users')
        .select('token')
        .where('token', 'is not', null)
        .orderBy('created_at')
        .limit(1)
        .executeTakeFirst();
      return row?.token ?? null;
    },
    serviceTokens: createServiceTokens(context),
    jobTokens: createJobTokens(context, { get, setOnce }),
    signInKey: installationKey(context, { get, setOnce }, 'sign_in_key'),
  };
}

function createServiceTokens(context: StoreContext): ServiceTokens {
  const { db } = context;
  return {
    async list(projectId) {
      const rows = await db
        .selectFrom('service_tokens')
        .selectAll()
        .where('project_id', '=', projectId)
        .orderBy('name')
        .execute();
      return rows.map(serviceTokenTable.decode);
    },
    insert: (record, token, extras) =>
      namedInsert(context, async ({ tx, add, changed }) => {
        add(extras);
        changed(projectChange(record.projectId, 'tokens'));
        await tx
          .insertInto('service_tokens')
          .values({ ...serviceTokenTable.insert(record), token_hash: tokenHash(token) })
          .execute();
      }),
    async byToken(token) {
      const row = await db
        .selectFrom('service_tokens')
        .selectAll()
        .where('token_hash', '=', tokenHash(token))
        .executeTakeFirst();
      return row ? serviceTokenTable.decode(row) : null;
    },
    async used(id, at) {
      await db
        .updateTable('service_tokens')
        .set({ last_used_at: at })
        .where('id', '=', id)
        .execute();
    },
    async usedTokens(ids, { today, monthFrom }) {
      const rows = await forIds(ids, (slice) =>
        db
          .selectFrom('service_token_usage')
          .select(['token_id', 'day', 'tokens'])
          .where('token_id', 'in', slice)
          .where('day', '>=', monthFrom)
          .execute(),
      );
      const used: Record<Id, UsedTokens> = {};
      for (const { token_id, day, tokens } of rows) {
        const before = used[token_id] ?? { day: 0, month: 0 };
        const count = Number(tokens);
        used[token_id] = {
          day: before.day + (day === today ? count : 0),
          month: before.month + count,
        };
      }
      return used;
    },
    delete: (ids, extras) =>
      context.write(async ({ tx, add, changed, accessChanged }) => {
        add(extras);
        if (ids.length === 0) return;
        const projectIds = await retireServiceTokens(context, tx, ids);
        accessChanged(projectIds.map((id) => ({ kind: 'project', id })));
        changed(...projectIds.map((id) => projectChange(id, 'tokens')));
        await tx
          .deleteFrom('service_tokens')
          .where('id', 'in', [...ids])
          .execute();
      }),
  };
}
