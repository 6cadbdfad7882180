/** Signs browsers in at the origins of services, by the session that they have with the web UI. */
import { randomBytes } from 'node:crypto';
import type { ServiceSignInRequest } from '@dstack/contract/api';
import { accessDenied, notExists, ruleError } from '@dstack/contract/api';
import { SECOND } from '@dstack/core';
import type { OriginService, ServiceOrigins } from '@dstack/proxy';
import {
  isNavigation,
  labelOf,
  SECRET,
  sessionCookies,
  signInStates,
  stateCookie,
} from '@dstack/proxy';
import type { SessionRecord, UserRecord } from '@dstack/store';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { HttpDeps } from '../ports.ts';

/** The page of the web UI that exchanges its session for a code. */
const PAGE = '/open-service';

/** At the origin of the service: exchanges the code for a cookie. */
const SIGN_IN_PATH = '/.dstack/sign-in';

/** A browser follows the redirect at once. */
const CODE_AGE = 60 * SECOND;

/** After this the browser is sent to the web UI again, which it does not notice while it is signed in. */
const SESSION_SECONDS = 12 * 3600;

/** Codes and states are in URLs, which must not be stored or sent to other sites. */
const PRIVATE = { 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' };

const randomText = () => randomBytes(32).toString('base64url');

/** Sends a browser without a cookie to the web UI. Null: the request does not come from a person. */
export function askToSignIn(
  origins: ServiceOrigins,
  { raw }: FastifyRequest,
  reply: FastifyReply,
): FastifyReply | null {
  const taken = origins.of(raw);
  if (taken === null || !isNavigation(raw)) return null;
  const { pattern } = origins;
  const state = randomText();
  const page = new URL(PAGE, origins.serverUrl);
  page.searchParams.set('host', `${taken.label}.${pattern.domain}`);
  page.searchParams.set('state', state);
  page.searchParams.set('path', taken.url);
  return reply
    .code(303)
    .headers(PRIVATE)
    .header('set-cookie', stateCookie(taken.label, state, pattern))
    .header('location', page.href)
    .send();
}

/** Returns where the browser continues. Throws `ApiError`. */
export async function issueCode(
  deps: Pick<HttpDeps, 'origins' | 'store' | 'context'>,
  user: UserRecord,
  session: SessionRecord | null,
  { host, state, path }: ServiceSignInRequest,
): Promise<{ readonly url: string }> {
  const { origins, store } = deps;
  if (origins === null) throw notExists('Services of this server have no host names of their own');
  if (session === null) {
    throw ruleError('Only browsers that are signed in to the web UI are signed in at a service');
  }
  const service = await origins.find(labelOf(origins.pattern, host) ?? '');
  if (service === null || !(await mayUse(store, user, service))) {
    throw notExists(`No service of your projects has the host name ${host}`);
  }
  if (!SECRET.test(state)) throw ruleError('`state` is not one that a service has sent');
  const { now } = deps.context();
  const code = randomText();
  const of = { sessionId: session.id, runId: service.id };
  const times = { createdAt: now, expiresAt: now + CODE_AGE };
  await store.serviceSessions.issue({ code, state, ...of, ...times });
  const url = new URL(SIGN_IN_PATH, origins.urlOf(service));
  url.searchParams.set('code', code);
  url.searchParams.set('path', path);
  return { url: url.href };
}

async function mayUse(
  store: Pick<HttpDeps['store'], 'projects'>,
  user: UserRecord,
  { projectName }: OriginService,
): Promise<boolean> {
  const access = await store.projects.access(projectName, user.id);
  return access !== null && (user.globalRole === 'admin' || access.role !== null);
}

/** Answers the paths under `/.dstack/` of an origin. */
export async function answerOwnPath(
  deps: Pick<HttpDeps, 'store' | 'context'>,
  origins: ServiceOrigins,
  { raw, method }: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const taken = origins.of(raw);
  const url = new URL(taken?.url ?? '/', 'http://service');
  if (taken === null || method !== 'GET' || url.pathname !== SIGN_IN_PATH) {
    return reply.code(404).send({ detail: 'Not Found' });
  }
  reply.headers(PRIVATE);
  const service = await origins.find(taken.label);
  const path = localPath(url.searchParams.get('path') ?? '/');
  const { now } = deps.context();
  const secret = randomText();
  const { pattern } = origins;
  const outcome =
    service &&
    (await deps.store.serviceSessions.redeem({
      code: url.searchParams.get('code') ?? '',
      states: signInStates(raw.headers.cookie, taken.label, pattern),
      ...{ runId: service.id, secret, now, expiresAt: now + SESSION_SECONDS * SECOND },
    }));
  if (outcome !== 'signed-in') return refuse(reply, path);
  return reply
    .code(303)
    .header('set-cookie', sessionCookies(taken.label, secret, SESSION_SECONDS, pattern))
    .header('location', path)
    .send();
}

/** A link instead of a redirect: where cookies are blocked, redirects would never end. */
function refuse(reply: FastifyReply, path: string): FastifyReply {
  const error = accessDenied(
    `This sign-in has been used, has expired, or was started by another browser. Open ${path} again; the browser must accept cookies of this host.`,
  );
  return reply.code(403).type('text/plain; charset=utf-8').send(`${error.message}\n`);
}

/** Never leads to another origin. */
function localPath(given: string): string {
  const base = 'http://service.invalid';
  const url = given.startsWith('/') && URL.canParse(given, base) ? new URL(given, base) : null;
  if (url === null || url.origin !== base || url.pathname.startsWith('//')) return '/';
  return `${url.pathname}${url.search}${url.hash}`;
}
