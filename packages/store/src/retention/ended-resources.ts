import type { Id, Timestamp } from '@dstack/core';
import { type RawBuilder, sql } from 'kysely';
import { recordChange } from '../changes/record-change.ts';
import type { StoreContext, Tx } from '../context/context.ts';
import { deleteIntents } from './ended-runs.ts';
import type { EndedKind, Retention } from './types.ts';

type EndedResources = Pick<
  Retention,
  | 'deleteEnded'
  | 'deleteStrayIntents'
  | 'deleteOldFacts'
  | 'deleteUsage'
  | 'deleteLedger'
  | 'deleteRetiredTokens'
>;

interface EndedRule {
  readonly table: string;
  /** The time of the end; null = not known yet. */
  readonly end: string;
  /** Rows without references, so that nothing dangles: each has an index of its own. */
  readonly unused: string;
  readonly more?: (tx: Tx, ids: RawBuilder<unknown>) => Promise<void>;
}

const none = (table: string, column: string) =>
  `not exists (select 1 from ${table} o where o.${column} = x.id)`;

const RULES: Readonly<Record<EndedKind, EndedRule>> = {
  instance: {
    table: 'instances',
    end: 'deleted_at',
    unused: none('jobs', 'instance_id'),
    more: async (tx, ids) => {
      await sql`delete from host_access where instance_id in (${ids})`.execute(tx);
      // The host of a terminated instance; a host that is connected belongs to another one.
      await sql`delete from hosts where id in (${ids}) and not connected`.execute(tx);
    },
  },
  volume: { table: 'volumes', end: 'deleted_at', unused: none('volume_uses', 'volume_id') },
  group: { table: 'provider_groups', end: 'status_changed_at', unused: '1 = 1' },
  gateway: {
    table: 'gateways',
    end: 'last_processed_at',
    unused: none('runs', 'gateway_id'),
    more: async (tx, ids) => {
      await sql`delete from intents where state <> 'announced' and subject_id in (
        select id from gateway_replicas where gateway_id in (${ids}))`.execute(tx);
      await sql`delete from gateway_replicas where gateway_id in (${ids})`.execute(tx);
    },
  },
  fleet: {
    table: 'fleets',
    end: 'deletion_seen_at',
    unused: ['runs', 'instances', 'provider_groups'].map((t) => none(t, 'fleet_id')).join(' and '),
  },
};

/** Every kind of row that an intent may be about. */
const SUBJECTS = [
  'jobs',
  'runs',
  'instances',
  'volumes',
  'volume_attachments',
  'provider_groups',
  'gateways',
  'gateway_replicas',
  'fleets',
];

export function createEndedResources(context: StoreContext): EndedResources {
  const { db } = context;
  return {
    async deleteEnded(kind, before, limit) {
      if (kind === 'fleet') await noteDeletedFleets(context);
      return await context.write(async ({ tx, changed }) => {
        const { table, end, unused, more } = RULES[kind];
        const { rows } = await sql<{ id: Id }>`select id from ${sql.table(table)} x
          where deleted and ${sql.raw(end)} < ${before} and ${sql.raw(unused)}
            and not exists (select 1 from intents i
              where i.subject_id = x.id and i.state = 'announced')
          order by ${sql.raw(end)} limit ${sql.lit(limit)}`.execute(tx);
        if (rows.length === 0) return 0;
        const ids = rows.map(({ id }) => id);
        await more?.(tx, sql.join(ids));
        await deleteIntents(tx, ids);
        await sql`delete from ${sql.table(table)} where id in (${sql.join(ids)})`.execute(tx);
        changed(...ids.map((id) => recordChange(kind === 'group' ? 'fleet' : kind, id)));
        return ids.length;
      });
    },
    deleteStrayIntents: (after, before, limit) =>
      context.write(async ({ tx }) => {
        const { rows } = await sql<{ key: string; stray: number | boolean }>`
          select key, state <> 'announced' and updated_at < ${before}
            ${sql.raw(SUBJECTS.map((t) => `and ${known(t)}`).join(' '))} as stray
          from intents where key > ${after} order by key limit ${sql.lit(limit)}`.execute(tx);
        const stray = rows.filter((row) => Boolean(row.stray)).map(({ key }) => key);
        if (stray.length > 0) await tx.deleteFrom('intents').where('key', 'in', stray).execute();
        const next = rows.length < limit ? null : (rows.at(-1)?.key ?? null);
        return { count: stray.length, seen: rows.length, next };
      }),
    deleteOldFacts: (kind, after, isOld, limit) =>
      context.write(async ({ tx }) => {
        const rows = await tx
          .selectFrom('server_meta')
          .selectAll()
          // A range of keys would depend on the collation of the database.
          .where('key', 'like', `${kind}:%`)
          .where('key', '>', after)
          .orderBy('key')
          .limit(limit)
          .execute();
        const old = rows.filter(({ key, value }) => isOld(key, value));
        let count = 0n;
        for (const { key, value } of old) {
          const { numDeletedRows } = await tx
            .deleteFrom('server_meta')
            .where('key', '=', key)
            .where('value', '=', value)
            .executeTakeFirst();
          count += numDeletedRows;
        }
        const next = rows.length < limit ? null : (rows.at(-1)?.key ?? null);
        return { count: Number(count), next };
      }),
    async deleteUsage(day, limit) {
      const tokens = await sql`delete from service_token_usage where (token_id, day) in (
        select token_id, day from service_token_usage where day < ${day}
        order by day limit ${sql.lit(limit)})`.execute(db);
      const models = await sql`delete from model_usage
        where (project_id, user_id, model, day) in (
          select project_id, user_id, model, day from model_usage where day < ${day}
          order by day limit ${sql.lit(limit)})`.execute(db);
      return Number(tokens.numAffectedRows ?? 0) + Number(models.numAffectedRows ?? 0);
    },
    async deleteLedger(what, day, limit) {
      const key = what === 'parts' ? 'id' : 'day, project_id, fleet_id, user_id, gpu, tags_key';
      const table = sql.table(`ledger_${what}`);
      const result = await sql`delete from ${table} where (${sql.raw(key)}) in (
        select ${sql.raw(key)} from ${table} where day < ${day}
        order by day limit ${sql.lit(limit)})`.execute(db);
      return Number(result.numAffectedRows ?? 0);
    },
    async deleteRetiredTokens(before, limit) {
      const result = await sql`delete from retired_tokens where token_hash in (
        select token_hash from retired_tokens where retired_at < ${before}
        limit ${sql.lit(limit)})`.execute(db);
      return Number(result.numAffectedRows ?? 0);
    },
  };
}

/**
 * Looks up one id for each intent. For `exists` PostgreSQL would, by statistics that are old, rather read
 * the whole table in each step.
 */
const known = (table: string) =>
  `(select 1 from ${table} o where o.id = intents.subject_id limit 1) is null`;

/** Fleets have no time of their deletion. */
async function noteDeletedFleets({ db, now }: StoreContext): Promise<void> {
  const at: Timestamp = now();
  await sql`update fleets set deletion_seen_at = ${at}
    where deleted and deletion_seen_at is null`.execute(db);
}
