import type { Id, Timestamp } from '@dstack/core';
import { notDeleted } from '../base/query.ts';
import { tokenHash } from '../base/token-hash.ts';
import type { Db, StoreContext } from '../context/context.ts';
import { userTable } from '../schema/account-tables.ts';
import type { ServiceSessions } from './types.ts';

/** Codes and cookies of one browser for one service; the oldest ones end. */
const MOST_PER_BROWSER = 10;

export function createServiceSessions(context: StoreContext): ServiceSessions {
  const { db } = context;
  return {
    issue: ({ code, state, sessionId, runId, createdAt, expiresAt }) =>
      context.write(async ({ tx }) => {
        await tx
          .insertInto('service_sessions')
          .values({
            ...{ hash: tokenHash(code), state_hash: tokenHash(state) },
            ...{ session_id: sessionId, run_id: runId },
            ...{ created_at: createdAt, expires_at: expiresAt },
          })
          .execute();
        await deleteOldest(tx, sessionId, runId);
      }),
    redeem: ({ code, states, runId, secret, now, expiresAt }) =>
      context.write<'signed-in' | 'refused'>(async ({ tx }) => {
        // A wrong use also uses a code up.
        const used = await tx
          .deleteFrom('service_sessions')
          .where('hash', '=', tokenHash(code))
          .where('state_hash', 'is not', null)
          .returningAll()
          .executeTakeFirst();
        if (used === undefined || used.run_id !== runId || used.expires_at <= now) return 'refused';
        if (!states.some((state) => tokenHash(state) === used.state_hash)) return 'refused';
        if (!(await isSignedIn(tx, used.session_id, now))) return 'refused';
        await tx
          .insertInto('service_sessions')
          .values({
            ...{ hash: tokenHash(secret), state_hash: null },
            ...{ session_id: used.session_id, run_id: runId },
            ...{ created_at: now, expires_at: expiresAt },
          })
          .execute();
        await deleteOldest(tx, used.session_id, runId);
        return 'signed-in';
      }),
    async find({ secrets, runId }, now) {
      if (secrets.length === 0) return null;
      const row = await signedIn(db, now)
        .innerJoin('service_sessions as own', 'own.session_id', 'sessions.id')
        .selectAll('users')
        .select(['own.expires_at as own_expires_at', 'sessions.expires_at as session_expires_at'])
        .where('own.hash', 'in', secrets.map(tokenHash))
        .where('own.state_hash', 'is', null)
        .where('own.run_id', '=', runId)
        .where('own.expires_at', '>', now)
        .executeTakeFirst();
      if (!row) return null;
      const user = userTable.decode(row);
      if (!user.active) return null;
      return { user, expiresAt: Math.min(row.own_expires_at, row.session_expires_at) };
    },
    async deleteExpired(before) {
      const result = await db
        .deleteFrom('service_sessions')
        .where('expires_at', '<', before)
        .executeTakeFirst();
      return Number(result.numDeletedRows);
    },
  };
}

/** Sessions that are valid, with their users. */
function signedIn(db: Db, now: Timestamp) {
  return db
    .selectFrom('sessions')
    .innerJoin('users', (join) =>
      join
        .onRef('users.id', '=', 'sessions.user_id')
        .onRef('users.token_hash', '=', 'sessions.token_hash'),
    )
    .where('sessions.expires_at', '>', now)
    .where(notDeleted('users.deleted'));
}

async function isSignedIn(db: Db, sessionId: Id, now: Timestamp): Promise<boolean> {
  const row = await signedIn(db, now)
    .select('sessions.id')
    .where('sessions.id', '=', sessionId)
    .executeTakeFirst();
  return row !== undefined;
}

async function deleteOldest(db: Db, sessionId: Id, runId: Id): Promise<void> {
  const rows = await db
    .selectFrom('service_sessions')
    .select('hash')
    .where('session_id', '=', sessionId)
    .where('run_id', '=', runId)
    .orderBy('created_at', 'desc')
    .offset(MOST_PER_BROWSER)
    .limit(MOST_PER_BROWSER)
    .execute();
  if (rows.length === 0) return;
  const hashes = rows.map(({ hash }) => hash);
  await db.deleteFrom('service_sessions').where('hash', 'in', hashes).execute();
}
