/** What a token of a program may do: one project, and there no more than its scope says. */
import { accessDenied, type Endpoint, invalidToken } from '@dstack/contract/api';
import type { ProjectRole } from '@dstack/contract/wire';
import type { Id } from '@dstack/core';
import type { ServiceTokenRecord, Store, UserRecord } from '@dstack/store';

/** Tokens of programs can be told from users' tokens, in logs and by scanners of repositories. */
export const SERVICE_TOKEN_PREFIX = 'dstack_st_';

/** The user in whose name a program acts, confined to one project. */
export interface ConfinedUser extends UserRecord {
  readonly onlyProject: Id;
}

export interface ServiceCaller {
  readonly user: ConfinedUser;
  readonly makerIsGlobalAdmin: boolean;
  readonly token: ServiceTokenRecord;
}

/** Times of use are kept to the minute (in µs): a write per call would be too many. */
const USED_STEP = 60_000_000;

/** Throws `ApiError` 403 for tokens that are unknown or expired, or whose maker is gone. */
export async function serviceCaller(
  store: Pick<Store, 'meta' | 'users'>,
  text: string,
  now: number,
): Promise<ServiceCaller> {
  const { serviceTokens } = store.meta;
  const token = await serviceTokens.byToken(text);
  if (token === null || (token.expiresAt !== null && token.expiresAt <= now)) throw invalidToken();
  const maker = await store.users.byId(token.createdBy);
  if (maker === null || maker.deleted || !maker.active) throw invalidToken();
  if (token.lastUsedAt === null || now - token.lastUsedAt >= USED_STEP) {
    await serviceTokens.used(token.id, now);
  }
  return {
    user: { ...maker, globalRole: 'user', onlyProject: token.projectId },
    makerIsGlobalAdmin: maker.globalRole === 'admin',
    token,
  };
}

/** The project that confines a caller; null: a user's own token, which is confined to nothing. */
export function confinement(user: UserRecord): Id | null {
  return 'onlyProject' in user ? (user as ConfinedUser).onlyProject : null;
}

/** Calls outside of a project that are narrowed to the token's own, or about uploads alone. */
const OUTSIDE: ReadonlySet<string> = new Set([
  '/api/runs/list',
  '/api/fleets/list',
  '/api/instances/list',
  '/api/volumes/list',
  '/api/events/list',
  '/api/files/get_archive_by_hash',
  '/api/files/upload_archive',
]);

/** Never: programs let nobody in, themselves neither, and see nobody's credentials. */
const BARRED = /\/service_tokens\/|_members$|\/repos\/get$|\/config_info$|\/get_yaml$/;

const READING = /\/(list|get|get_plan|poll|get_instance_health_checks)$/;

export function checkCall(endpoint: Pick<Endpoint, 'method' | 'path'>, token: ServiceTokenRecord) {
  const { method, path } = endpoint;
  const isInProject = path.includes('{project_name}');
  if (BARRED.test(path) || (!isInProject && !OUTSIDE.has(path))) {
    throw accessDenied('Access denied: service tokens cannot be used for this');
  }
  if (token.scope === 'read' && method !== 'GET' && !READING.test(path)) {
    throw accessDenied(`Access denied: the service token ${token.name} may only read`);
  }
}

const RANKS: readonly ProjectRole[] = ['user', 'manager', 'admin'];

/** The lower of the token's role and its maker's; null: the maker is no longer a member. */
export function tokenRole(
  token: ServiceTokenRecord,
  makersRole: ProjectRole | null,
): ProjectRole | null {
  if (makersRole === null) return null;
  const own = token.scope === 'read' ? 'user' : token.scope;
  return RANKS.indexOf(own) < RANKS.indexOf(makersRole) ? own : makersRole;
}
