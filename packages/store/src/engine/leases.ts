import { type RawBuilder, sql } from 'kysely';
import { DATABASE_NOW } from '../base/database-clock.ts';
import type { StoreContext } from '../context/context.ts';
import type { EngineStore, LeasedKind } from './types.ts';

export type Leases = Pick<
  EngineStore,
  | 'time'
  | 'claim'
  | 'renew'
  | 'release'
  | 'leaseLeft'
  | 'dropLeases'
  | 'claimHost'
  | 'renewHosts'
  | 'releaseHost'
  | 'hostOwner'
  | 'orphanedHosts'
>;

/** The table that holds the leases of a kind of work. */
const ROWS: Readonly<Record<LeasedKind, { readonly table: string; readonly key: string }>> = {
  run: { table: 'runs', key: 'id' },
  pool: { table: 'pools', key: 'id' },
  instance: { table: 'instances', key: 'id' },
  observation: { table: 'leases', key: 'name' },
  fleet: { table: 'fleets', key: 'id' },
  volume: { table: 'volumes', key: 'id' },
  'volume-observation': { table: 'leases', key: 'name' },
  gateway: { table: 'gateways', key: 'id' },
  group: { table: 'provider_groups', key: 'id' },
  intent: { table: 'intents', key: 'key' },
  sweep: { table: 'leases', key: 'name' },
  retention: { table: 'leases', key: 'name' },
};

/**
 * Kinds whose first lease comes before their row: they have rows of their own in `leases`, which exist
 * while a lease is held.
 */
const isWithoutRow = (kind: LeasedKind): boolean =>
  kind === 'observation' || kind === 'volume-observation' || kind === 'retention';

const leaseKey = (kind: LeasedKind, id: string): string =>
  isWithoutRow(kind) ? `${kind}:${id}` : id;

/** Between servers: leases in the rows themselves. */
export function sharedLeases({ db }: StoreContext): Leases {
  async function changed(statement: RawBuilder<unknown>): Promise<boolean> {
    return (await statement.execute(db)).numAffectedRows === 1n;
  }

  return {
    async time() {
      const { rows } = await sql<{ time: number }>`select ${DATABASE_NOW} as time`.execute(db);
      return Number(rows[0]?.time);
    },
    claim(kind, id, owner, ttl) {
      const { table, key } = ROWS[kind];
      if (isWithoutRow(kind)) {
        return changed(sql`insert into leases (name, lease_owner, lease_expires_at)
          values (${leaseKey(kind, id)}, ${owner}, ${DATABASE_NOW} + ${ttl}::bigint)
          on conflict (name) do update
          set lease_owner = excluded.lease_owner, lease_expires_at = excluded.lease_expires_at
          where leases.lease_owner is null or leases.lease_expires_at < ${DATABASE_NOW}`);
      }
      return changed(sql`update ${sql.table(table)}
        set lease_owner = ${owner}, lease_expires_at = ${DATABASE_NOW} + ${ttl}::bigint
        where ${sql.ref(key)} = ${id}
          and (lease_owner is null or lease_expires_at < ${DATABASE_NOW})`);
    },
    renew(kind, id, owner, ttl) {
      const { table, key } = ROWS[kind];
      return changed(sql`update ${sql.table(table)}
        set lease_expires_at = ${DATABASE_NOW} + ${ttl}::bigint
        where ${sql.ref(key)} = ${leaseKey(kind, id)} and lease_owner = ${owner}`);
    },
    async release(kind, id, owner) {
      const { table, key } = ROWS[kind];
      if (isWithoutRow(kind)) {
        await changed(sql`delete from leases
          where name = ${leaseKey(kind, id)} and lease_owner = ${owner}`);
        return;
      }
      await changed(sql`update ${sql.table(table)}
        set lease_owner = null, lease_expires_at = null
        where ${sql.ref(key)} = ${id} and lease_owner = ${owner}`);
    },
    async leaseLeft(kind, id) {
      const { table, key } = ROWS[kind];
      const { rows } = await sql<{ left: number | null }>`
        select case when lease_owner is not null then lease_expires_at - ${DATABASE_NOW} end as left
        from ${sql.table(table)} where ${sql.ref(key)} = ${leaseKey(kind, id)}`.execute(db);
      const [row] = rows;
      if (!row) return isWithoutRow(kind) ? null : 'gone';
      return row.left !== null && Number(row.left) >= 0 ? Number(row.left) : null;
    },
    async dropLeases() {
      // Other servers may hold them; they expire by themselves.
    },
    claimHost(hostId, owner, ttl) {
      return changed(sql`insert into hosts (id, connected, since, lease_owner, lease_expires_at)
        values (${hostId}, false, ${DATABASE_NOW}, ${owner}, ${DATABASE_NOW} + ${ttl}::bigint)
        on conflict (id) do update
        set lease_owner = excluded.lease_owner, lease_expires_at = excluded.lease_expires_at
        where hosts.lease_owner is null or hosts.lease_expires_at < ${DATABASE_NOW}`);
    },
    async renewHosts(hostIds, owner, ttl) {
      if (hostIds.length === 0) return [];
      const { rows } = await sql<{ id: string }>`update hosts
        set lease_expires_at = ${DATABASE_NOW} + ${ttl}::bigint
        where id = any(${hostIds}::text[]) and lease_owner = ${owner}
        returning id`.execute(db);
      return rows.map(({ id }) => id);
    },
    async releaseHost(hostId, owner) {
      await changed(sql`update hosts set lease_owner = null, lease_expires_at = null
        where id = ${hostId} and lease_owner = ${owner}`);
    },
    async hostOwner(hostId) {
      const { rows } = await sql<{ lease_owner: string }>`select lease_owner from hosts
        where id = ${hostId} and lease_expires_at >= ${DATABASE_NOW}`.execute(db);
      return rows[0]?.lease_owner ?? null;
    },
    async orphanedHosts() {
      const { rows } = await sql<{ id: string }>`select id from hosts
        where connected and (lease_expires_at is null or lease_expires_at < ${DATABASE_NOW})
        order by id`.execute(db);
      return rows.map(({ id }) => id);
    },
  };
}

interface Lease {
  readonly owner: string;
  readonly expiresAt: number;
}

/**
 * For a single server: the lock file excludes others, and a lease ends with its process, so nothing
 * is stored (each pass would cost two syncs). They run by the monotonic clock: a lease of a process that continues is
 * neither ended nor prolonged when the clock of the host is set.
 */
export function localLeases({ now, monotonic }: Pick<StoreContext, 'now' | 'monotonic'>): Leases {
  const leases = new Map<string, Lease>();

  function claim(key: string, owner: string, ttl: number): boolean {
    const held = leases.get(key);
    if (held && held.expiresAt >= monotonic()) return false;
    leases.set(key, { owner, expiresAt: monotonic() + ttl });
    return true;
  }

  function renew(key: string, owner: string, ttl: number): boolean {
    if (leases.get(key)?.owner !== owner) return false;
    leases.set(key, { owner, expiresAt: monotonic() + ttl });
    return true;
  }

  function release(key: string, owner: string): void {
    if (leases.get(key)?.owner === owner) leases.delete(key);
  }

  return {
    time: async () => now(),
    claim: async (kind, id, owner, ttl) => claim(`${kind} ${id}`, owner, ttl),
    renew: async (kind, id, owner, ttl) => renew(`${kind} ${id}`, owner, ttl),
    release: async (kind, id, owner) => release(`${kind} ${id}`, owner),
    leaseLeft: async (kind, id) => {
      const held = leases.get(`${kind} ${id}`);
      return held && held.expiresAt >= monotonic() ? held.expiresAt - monotonic() : null;
    },
    dropLeases: async () => leases.clear(),
    claimHost: async (hostId, owner, ttl) => claim(`host ${hostId}`, owner, ttl),
    renewHosts: async (hostIds, owner, ttl) =>
      hostIds.filter((hostId) => renew(`host ${hostId}`, owner, ttl)),
    releaseHost: async (hostId, owner) => release(`host ${hostId}`, owner),
    hostOwner: async (hostId) => {
      const held = leases.get(`host ${hostId}`);
      return held && held.expiresAt >= monotonic() ? held.owner : null;
    },
    // The records of an earlier process are corrected when its links are opened again.
    orphanedHosts: async () => [],
  };
}
