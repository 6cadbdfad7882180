/** Identifies the caller and checks the permissions of the endpoint table. */
import { createHash, timingSafeEqual } from 'node:crypto';
import {
  ApiError,
  accessDenied,
  type Endpoint,
  invalidToken,
  notAuthenticated,
  notFound,
  type Permission,
} from '@dstack/contract/api';
import { type ProjectRole, SERVICE_TOKEN_PREFIX } from '@dstack/contract/wire';
import type {
  ProjectRecord,
  ServiceSessionProof,
  ServiceTokenRecord,
  SessionRecord,
  Store,
  UserRecord,
} from '@dstack/store';
import type { Credentials, SessionClaim } from './credentials.ts';
import { usedSession } from './lifetime.ts';
import {
  endedToken,
  foreignToken,
  missingGlobalRole,
  missingRole,
  missingScope,
} from './rights.ts';
import { checkCall, serviceCaller, tokenRole } from './scope.ts';
import type { TokenLookUp } from './sign-in-guard.ts';

export interface CallerIdentity {
  readonly user: UserRecord | null;
  readonly project: ProjectRecord | null;
  readonly role: ProjectRole | null;
  /** When the caller's token or session expires; null = never. */
  readonly expiresAt: number | null;
  /** Null: the caller has sent a token. */
  readonly session: SessionRecord | null;
  /** Null: the credentials are those of a person. */
  readonly token: ServiceTokenRecord | null;
}

const NOBODY: CallerIdentity = {
  user: null,
  project: null,
  role: null,
  expiresAt: null,
  session: null,
  token: null,
};

export interface IdentityDeps {
  readonly store: Pick<
    Store,
    'users' | 'projects' | 'meta' | 'jobs' | 'sessions' | 'serviceSessions'
  >;
  readonly now: () => number;
  /** For the caller of the request; counts unknown tokens. */
  readonly lookUp: TokenLookUp;
  /** Static token for endpoints with `service_token`; null = they refuse every caller. */
  readonly sshProxyToken: string | null;
  /** Called before a known caller is refused for a missing right. */
  readonly onRefused?: (caller: RefusedCaller, error: unknown) => void;
}

export interface RefusedCaller {
  readonly user: UserRecord;
  readonly project: ProjectRecord | null;
  readonly token: ServiceTokenRecord | null;
}

/**
 * Throws `ApiError`: 401 without a bearer token or with a session that has ended, 403 for a wrong token
 * or a missing role, 404 for an unknown project.
 */
export async function identifyCaller(
  deps: IdentityDeps,
  endpoint: Pick<Endpoint, 'permission' | 'method' | 'path'>,
  credentials: Credentials,
  projectName: string | undefined,
): Promise<CallerIdentity> {
  const { permission } = endpoint;
  const { authorization } = credentials;
  if (permission === 'public' || permission === 'service_auth') return NOBODY;
  if (permission === 'optional') return await identifyOptionally(deps, endpoint, credentials);
  if (permission === 'service_token') return serviceIdentity(deps, authorization);
  if (bearerToken(authorization)?.startsWith(SERVICE_TOKEN_PREFIX)) {
    return programIdentity(deps, endpoint, bearerToken(authorization) ?? '', projectName);
  }
  const { user, session, expiresAt } = await signedInUser(deps, credentials);
  const refuse = (error: unknown, project: ProjectRecord | null): never => {
    deps.onRefused?.({ user, project, token: null }, error);
    throw error;
  };
  if (permission === 'global_admin' && user.globalRole !== 'admin') {
    refuse(missingGlobalRole(user), null);
  }
  if (permission === 'auth' || permission === 'global_admin') {
    return { user, project: null, role: null, expiresAt, session, token: null };
  }
  const access = await deps.store.projects.access(projectName ?? '', user.id);
  if (access === null) throw notFound();
  const role = user.globalRole === 'admin' ? 'admin' : access.role;
  if (!passes(permission, role, access.project)) {
    refuse(await missingRole(deps.store, permission, access.project, role), access.project);
  }
  return { user, project: access.project, role, expiresAt, session, token: null };
}

async function identifyOptionally(
  deps: IdentityDeps,
  endpoint: Pick<Endpoint, 'method' | 'path'>,
  credentials: Credentials,
): Promise<CallerIdentity> {
  try {
    const required = { ...endpoint, permission: 'auth' } as const;
    return await identifyCaller(deps, required, credentials, undefined);
  } catch (error) {
    if (error instanceof ApiError) return NOBODY;
    throw error;
  }
}

/** A token of a program acts as its owner, limited to the token's project and scope. */
async function programIdentity(
  deps: IdentityDeps,
  endpoint: Pick<Endpoint, 'permission' | 'method' | 'path'>,
  text: string,
  projectName: string | undefined,
): Promise<CallerIdentity> {
  const caller = await deps.lookUp(text, () => serviceCaller(deps.store, text, deps.now()));
  if (caller === null) throw invalidToken();
  if ('end' in caller) throw endedToken(caller.token, caller.end);
  const { user, token, makerIsGlobalAdmin } = caller;
  try {
    checkCall(endpoint, caller);
  } catch (error) {
    deps.onRefused?.({ user, project: null, token }, error);
    throw error;
  }
  const project = await deps.store.projects.byId(token.projectId);
  if (project === null || project.deleted) throw invalidToken();
  const membership = await deps.store.projects.role(project.id, token.createdBy);
  const role = tokenRole(token, makerIsGlobalAdmin ? 'admin' : membership);
  if (role === null) throw endedToken(token, 'ownerless');
  const { expiresAt } = token;
  const session = null;
  const known = { user, expiresAt, session, token };
  if (projectName === undefined) return { ...known, project: null, role: null };
  if (projectName.toLowerCase() !== project.name.toLowerCase()) throw foreignToken(token, project);
  const { permission } = endpoint;
  if (!passes(permission, role, project)) {
    const error = missingScope(permission, project, token, role);
    deps.onRefused?.({ user, project, token }, error);
    throw error;
  }
  return { ...known, project, role };
}

interface SignedInUser {
  readonly user: UserRecord;
  readonly session: SessionRecord | null;
  readonly expiresAt: number | null;
}

async function signedInUser(
  deps: IdentityDeps,
  { authorization, session, atService = null }: Credentials,
): Promise<SignedInUser> {
  if (atService !== null) return await userAtService(deps, atService);
  if (session !== null) return await sessionUser(deps, session);
  const token = bearerToken(authorization);
  if (token === null) throw notAuthenticated();
  const user = await deps.lookUp(token, () => deps.store.users.byToken(token));
  if (user === null) throw invalidToken();
  return { user, session: null, expiresAt: null };
}

async function userAtService(
  { store, lookUp, now }: IdentityDeps,
  proof: ServiceSessionProof,
): Promise<SignedInUser> {
  const text = `${proof.runId} ${proof.secrets.join(' ')}`;
  const found = await lookUp(text, () => store.serviceSessions.find(proof, now()));
  if (found === null) throw notAuthenticated('Not authenticated: the session has ended');
  return { ...found, session: null };
}

async function sessionUser(deps: IdentityDeps, claim: SessionClaim): Promise<SignedInUser> {
  if (claim.refusal !== null) throw accessDenied(`Access denied: ${claim.refusal}`);
  const { store, now } = deps;
  const found = await deps.lookUp(claim.key, () => store.sessions.find(claim, now()));
  if (found === null) {
    throw notAuthenticated('Not authenticated: the session has ended, sign in again');
  }
  const session = await usedSession(store, found.session, now());
  return { user: found.user, session, expiresAt: session.expiresAt };
}

/** The scheme's case does not matter; another scheme does not authenticate. */
export function bearerToken(authorization: string | undefined): string | null {
  const match = /^bearer +(\S.*)$/i.exec(authorization ?? '');
  return match?.[1]?.trim() ?? null;
}

async function serviceIdentity(
  deps: IdentityDeps,
  authorization: string | undefined,
): Promise<CallerIdentity> {
  const token = bearerToken(authorization);
  const expected = deps.sshProxyToken;
  if (token === null || expected === null) throw accessDenied();
  const found = await deps.lookUp(token, async () => (isSameText(token, expected) ? NOBODY : null));
  if (found === null) throw accessDenied();
  return found;
}

/** In constant time, whatever the lengths. */
export function isSameText(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

/** Allowed roles, per permission of a project. */
const ROLES: Partial<Record<Permission, readonly ProjectRole[]>> = {
  project_admin: ['admin'],
  project_manager: ['admin', 'manager'],
  project_member: ['admin', 'manager', 'user'],
  member_or_public: ['admin', 'manager', 'user'],
};

function passes(permission: Permission, role: ProjectRole | null, project: ProjectRecord): boolean {
  // The operation checks the entity that the body names.
  if (permission.startsWith('entity:')) return true;
  if (permission === 'member_or_public' && project.isPublic) return true;
  return role !== null && ROLES[permission]?.includes(role) === true;
}
