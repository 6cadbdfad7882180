/** Permissions of a program's token: only what its scope allows, in one project. */
import { type Endpoint, endpoints } from '@dstack/contract/api';
import { isJobFinished } from '@dstack/contract/status';
import { JOB_TOKEN_PREFIX, type ProjectRole } from '@dstack/contract/wire';
import type { Id } from '@dstack/core';
import type { ServiceTokenRecord, Store, UserRecord } from '@dstack/store';
import {
  modelsOnlyToken,
  onlyOwnTokens,
  readOnlyToken,
  servicesOnlyToken,
  type TokenEnd,
} from './rights.ts';

/** The user in whose name a program acts, confined to one project. */
export interface ConfinedUser extends UserRecord {
  readonly onlyProject: Id;
  /** The token of the request. */
  readonly token: string;
}

export interface TokenCaller {
  readonly user: ConfinedUser;
  readonly makerIsGlobalAdmin: boolean;
  readonly token: ServiceTokenRecord;
}

/** A token that the server has created and that is no longer valid. */
export interface EndedToken {
  readonly token: ServiceTokenRecord;
  readonly end: TokenEnd;
}

/** The time of last use is written once a minute at most (µs). */
const USED_STEP = 60_000_000;

/** Null if the token is unknown. */
export async function serviceCaller(
  store: Pick<Store, 'meta' | 'users' | 'jobs'>,
  text: string,
  now: number,
): Promise<TokenCaller | EndedToken | null> {
  const { serviceTokens, jobTokens } = store.meta;
  const jobId = await jobTokens.jobOf(text);
  const found = jobId ? await tokenOfJob(store, jobId, now) : null;
  if (found !== null && 'end' in found) return found;
  const token = found ?? (jobId ? null : await serviceTokens.byToken(text));
  if (token === null) return null;
  if (token.expiresAt !== null && token.expiresAt <= now) return { token, end: 'expired' };
  const maker = await store.users.byId(token.createdBy);
  if (maker === null || maker.deleted || !maker.active) return { token, end: 'ownerless' };
  if (jobId === null && (token.lastUsedAt === null || now - token.lastUsedAt >= USED_STEP)) {
    await serviceTokens.used(token.id, now);
  }
  return {
    user: { ...maker, globalRole: 'user', onlyProject: token.projectId, token: text },
    makerIsGlobalAdmin: maker.globalRole === 'admin',
    token,
  };
}

/** A job acts for the user who submitted its run, with a member's rights at most, until it has finished. */
async function tokenOfJob(
  store: Pick<Store, 'jobs'>,
  jobId: Id,
  now: number,
): Promise<ServiceTokenRecord | EndedToken | null> {
  const view = await store.jobs.byId(jobId);
  if (view === null) return null;
  const { job, run } = view;
  const token: ServiceTokenRecord = {
    ...{ id: job.id, projectId: run.projectId, name: job.name, scope: 'user' },
    ...{ createdBy: run.userId, createdAt: now, expiresAt: null, lastUsedAt: now },
    ...{ models: null, services: null, limits: null },
  };
  return isJobFinished(job.status) ? { token, end: 'job finished' } : token;
}

/** The project that confines a caller; null: a user's own token, which is confined to nothing. */
export function confinement(user: UserRecord): Id | null {
  return isConfined(user) ? user.onlyProject : null;
}

export function isConfined(user: UserRecord): user is ConfinedUser {
  return 'onlyProject' in user;
}

/** Endpoints without a project in the path whose results are limited to the token's project, and uploads. */
const OUTSIDE: ReadonlySet<string> = new Set([
  '/api/projects/list',
  '/api/runs/list',
  '/api/fleets/list',
  '/api/instances/list',
  '/api/volumes/list',
  '/api/events/list',
  '/api/files/get_archive_by_hash',
  '/api/files/upload_archive',
  '/api/stream',
]);

/** Allowed for jobs too: the official client calls it. The response has no credentials of the user. */
const OF_JOBS = '/api/users/get_my_user';

const SERVICE = endpoints['proxy.service'].path;

/** Never allowed: endpoints that give access to others or show credentials. */
const BARRED = /\/service_tokens\/|_members$|\/repos\/get$|\/config_info$|\/get_yaml$/;

const READING =
  /\/(list|get|get_plan|explain\/plan|poll|get_instance_health_checks|get_archive_by_hash)$/;

export function isReading({ method, path }: Pick<Endpoint, 'method' | 'path'>): boolean {
  return method === 'GET' || READING.test(path);
}

export function checkCall(
  endpoint: Pick<Endpoint, 'method' | 'path'>,
  { token, user }: Pick<TokenCaller, 'token' | 'user'>,
): void {
  const { path } = endpoint;
  if (path === OF_JOBS && user.token.startsWith(JOB_TOKEN_PREFIX)) return;
  if (token.scope === 'models' && !path.startsWith('/proxy/models/')) throw modelsOnlyToken(token);
  // Which services it may use is checked by the proxy.
  if (token.scope === 'services' && path !== SERVICE) throw servicesOnlyToken(token);
  const isInProject = path.includes('{project_name}');
  if (BARRED.test(path) || (!isInProject && !OUTSIDE.has(path))) {
    throw onlyOwnTokens();
  }
  if (token.scope === 'read' && !isReading(endpoint)) {
    throw readOnlyToken(token);
  }
}

const RANKS: readonly ProjectRole[] = ['user', 'manager', 'admin'];

/** The lower of the token's role and its maker's; null: the maker is no longer a member. */
export function tokenRole(
  token: ServiceTokenRecord,
  makersRole: ProjectRole | null,
): ProjectRole | null {
  if (makersRole === null) return null;
  const own = RANKS.find((rank) => rank === token.scope) ?? 'user';
  return RANKS.indexOf(own) < RANKS.indexOf(makersRole) ? own : makersRole;
}
