/** Browsers in which users are signed in. */
import { randomBytes } from 'node:crypto';
import { accessDenied, invalidToken, ruleError } from '@dstack/contract/api';
import { formatTimestamp, type OpenedSession, type Session } from '@dstack/contract/wire';
import type { SessionRecord, UserRecord } from '@dstack/store';
import { setCookie } from '../../callers/cookie.ts';
import { bearerToken } from '../../callers/identity.ts';
import { lifetimeOf } from '../../callers/lifetime.ts';
import type { HttpExchange } from '../call.ts';
import { wireUser } from '../mapping/user.ts';
import type { HttpDeps } from '../ports.ts';

/** Browsers keep no cookie for longer (seconds); the session itself may expire before. */
const LONGEST_COOKIE = 400 * 86_400;

/** The caller has sent their token, which the browser then need not keep. */
export async function openSession(
  deps: HttpDeps,
  user: UserRecord,
  persistent: boolean,
  { request, setHeader }: HttpExchange,
): Promise<OpenedSession> {
  const token = bearerToken(request.headers.authorization);
  if (token === null) {
    throw ruleError('A session is opened with the token of a user in the header `Authorization`');
  }
  // Programs that are not browsers send no origin.
  const isPage = request.headers.origin !== undefined;
  const refusal = isPage ? deps.credentials.originRefusal(request) : null;
  if (refusal !== null) throw accessDenied(`Access denied: ${refusal}`);
  return await openSessionWith(deps, user, persistent, token, { request, setHeader });
}

/** `token`: that of the user, with which the session ends. */
export async function openSessionWith(
  deps: HttpDeps,
  user: UserRecord,
  persistent: boolean,
  token: string,
  { request, setHeader }: HttpExchange,
): Promise<OpenedSession> {
  const { now, newId } = deps.context();
  const times = { createdAt: now, lastUsedAt: now, expiresAt: now + lifetimeOf({ persistent }) };
  const session = { id: newId(), userId: user.id, persistent, ...times };
  const [key, secret] = [randomText(), randomText()];
  if ((await deps.store.sessions.open(session, { key, secret, token })) === 'refused') {
    throw invalidToken();
  }
  const { credentials } = deps;
  const isEncrypted = credentials.isEncrypted(request);
  const maxAge = persistent ? LONGEST_COOKIE : null;
  setHeader('set-cookie', setCookie(credentials.serverId, secret, { isEncrypted, maxAge }));
  return { ...wireSession(deps, user, session), key };
}

/** Also removes the cookie of a session that has ended before. */
export async function endSession(
  { store, credentials }: HttpDeps,
  session: SessionRecord | null,
  { request, setHeader }: HttpExchange,
): Promise<void> {
  if (session !== null) await store.sessions.end(session);
  const isEncrypted = credentials.isEncrypted(request);
  setHeader('set-cookie', setCookie(credentials.serverId, '', { isEncrypted, maxAge: 0 }));
}

export function wireSession(
  { settings }: HttpDeps,
  user: UserRecord | null,
  session: SessionRecord | null,
): Session {
  return {
    user: user && wireUser(user, settings.permissions),
    persistent: session?.persistent ?? false,
    expires_at: session && formatTimestamp(session.expiresAt),
  };
}

function randomText(): string {
  return randomBytes(32).toString('base64url');
}
