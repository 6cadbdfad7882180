/** Which projects share the machines of the servers of a database. */
import type { Timestamp } from '@dstack/core';
import type { Tx } from '../context/context.ts';
import { SERVER_HOST_LIFE, type SharedServerHost } from './types.ts';

/** Followed by the id of the host. */
const KEY = 'server_host:';

interface Stored {
  readonly projects: readonly string[];
  readonly at: Timestamp;
}

/** Deletes the records of servers that do not exist any more. */
export async function recordServerHost(
  tx: Tx,
  host: SharedServerHost | null,
  now: Timestamp,
): Promise<void> {
  const own = host === null ? null : `${KEY}${host.hostId}`;
  const ended = (await readAll(tx))
    .filter(({ key, stored }) => key === own || Math.abs(now - stored.at) > SERVER_HOST_LIFE)
    .map(({ key }) => key);
  if (ended.length > 0) await tx.deleteFrom('server_meta').where('key', 'in', ended).execute();
  if (own === null || host === null || host.projects.size === 0) return;
  const stored: Stored = { projects: [...host.projects].sort(), at: now };
  await tx
    .insertInto('server_meta')
    .values({ key: own, value: JSON.stringify(stored) })
    .onConflict((conflict) => conflict.column('key').doUpdateSet({ value: JSON.stringify(stored) }))
    .execute();
}

/** The names of the projects that share each machine, in small letters. */
export async function sharersOfServerHosts(tx: Tx): Promise<readonly ReadonlySet<string>[]> {
  return (await readAll(tx)).map(({ stored }) => new Set(stored.projects));
}

async function readAll(tx: Tx) {
  const rows = await tx
    .selectFrom('server_meta')
    .selectAll()
    .where('key', 'like', `${KEY}%`)
    .execute();
  return rows.map(({ key, value }) => ({ key, stored: JSON.parse(value) as Stored }));
}
