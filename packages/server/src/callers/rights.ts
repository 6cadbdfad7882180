/**
 * Refusals for a missing right. The text of each names the right and, after a semicolon, who can grant
 * it: the command line shows the second part as the next step.
 */
import { type ApiError, accessDenied, type Permission } from '@dstack/contract/api';
import { formatTimestamp, type ProjectRole } from '@dstack/contract/wire';
import type { ProjectRecord, ServiceTokenRecord, Store, UserRecord } from '@dstack/store';

/** The lowest role that has a permission; null: membership with any role. */
function roleFor(permission: Permission): ProjectRole | null {
  if (permission === 'project_admin') return 'admin';
  return permission === 'project_manager' ? 'manager' : null;
}

/** More names would not help to find a person. */
const MAX_NAMES = 5;

/** For a user whose role in the project is too low, or who has none there. */
export async function missingRole(
  store: Pick<Store, 'projects'>,
  permission: Permission,
  project: ProjectRecord,
  role: ProjectRole | null,
): Promise<ApiError> {
  const needed = roleFor(permission);
  if (role === null) return notMember(project);
  const members = await store.projects.members(project.id);
  const admins = members
    .filter((member) => member.role === 'admin')
    .map((member) => member.user.originalName ?? member.user.name);
  const names = admins.slice(0, MAX_NAMES).join(', ');
  return denied(
    `this needs the role ${needed ?? 'user'} in project ${project.name}, and yours is ${role}`,
    `an admin of the project can change that${names ? `: ${names}` : ''}`,
  );
}

export function notMember({ name }: Pick<ProjectRecord, 'name'>): ApiError {
  return denied(`you are not a member of project ${name}`, 'its admins and managers can add you');
}

export function missingGlobalRole({ globalRole }: UserRecord): ApiError {
  return denied(
    `this needs the global role admin, and yours is ${globalRole}`,
    'a global admin of the server can change that',
  );
}

/** For what changes the machine that the server runs on, whichever project uses it. */
export function onlyOnServerHost(instance: string): ApiError {
  return denied(
    `${instance} is on the server's machine, which global admins manage`,
    'ask a global admin of the server',
  );
}

/** For a token whose scope, or whose owner, does not have the permission. */
export function missingScope(
  permission: Permission,
  project: ProjectRecord,
  token: ServiceTokenRecord,
  role: ProjectRole,
): ApiError {
  const needed = roleFor(permission) ?? 'user';
  const need = `this needs the role ${needed} in project ${project.name}`;
  const own = token.scope === 'manager' || token.scope === 'admin' ? token.scope : 'user';
  if (own === role) {
    return denied(
      `${need}, and the scope of the service token ${token.name} is ${token.scope}`,
      `an admin of the project can create one with the scope ${needed} (dstack token create)`,
    );
  }
  return denied(
    `${need}, and the owner of the service token ${token.name} is only ${role}`,
    'an admin of the project can change that role, or create a token',
  );
}

export function readOnlyToken(token: ServiceTokenRecord): ApiError {
  return denied(
    `the service token ${token.name} may only read (scope read)`,
    'an admin of the project can create one with the scope user or higher (dstack token create)',
  );
}

export function modelsOnlyToken(token: ServiceTokenRecord): ApiError {
  return denied(
    `the service token ${token.name} may only send requests to models (scope models)`,
    'an admin of the project can create one with the scope user or higher (dstack token create)',
  );
}

export function servicesOnlyToken(token: ServiceTokenRecord): ApiError {
  return denied(
    `the service token ${token.name} may only send requests to services (scope services)`,
    'an admin of the project can create one with the scope user or higher (dstack token create)',
  );
}

export function foreignToken(token: ServiceTokenRecord, project: ProjectRecord): ApiError {
  return denied(
    `the service token ${token.name} is valid in project ${project.name} only`,
    'use a token of that project',
  );
}

export function onlyOwnTokens(): ApiError {
  return denied('service tokens cannot be used for this', "use a user's own token");
}

/** Why a token that the server has created is no longer valid. */
export type TokenEnd = 'expired' | 'ownerless' | 'job finished';

export function endedToken(token: ServiceTokenRecord, end: TokenEnd): ApiError {
  const another = 'an admin of the project can create another one (dstack token create)';
  if (end === 'job finished') {
    return denied(`the job ${token.name} of this token has finished`, 'use another token');
  }
  if (end === 'expired' && token.expiresAt !== null) {
    const at = formatTimestamp(token.expiresAt);
    return denied(`the service token ${token.name} expired at ${at}`, another);
  }
  return denied(`the owner of the service token ${token.name} has lost the access`, another);
}

function denied(what: string, next: string): ApiError {
  return accessDenied(`Access denied: ${what}; ${next}`);
}
