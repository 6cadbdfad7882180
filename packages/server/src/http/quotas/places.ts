/** Finds what a quota is about by its names, and who may set it. */
import { ApiError, accessDenied } from '@dstack/contract/api';
import { EVERY_USER, type Id } from '@dstack/core';
import type { ProjectRecord, QuotaPlace, UserRecord } from '@dstack/store';
import { missingGlobalRole } from '../../callers/rights.ts';
import type { HttpDeps } from '../ports.ts';

export interface NamedPlace {
  readonly project_name: string;
  readonly fleet_name: string | null;
  readonly user_name: string | null;
}

export interface SettablePlace extends QuotaPlace {
  readonly project: ProjectRecord;
  readonly fleetOwner: ProjectRecord | null;
  readonly names: { readonly fleet: string | null; readonly user: string | null };
  /** May grant guarantees and weights; others may only limit. */
  readonly isOfProjects: boolean;
}

/**
 * Throws if the caller may not set this quota. `mayBeGone`: the fleet may not be imported any more, and the user no
 * member any more, if there is a quota of them, which is to be deleted. Quotas of projects are set by global admins, those of users by managers
 * of the project, and limits of importers on a fleet by managers of the project that owns it.
 */
export async function settablePlace(
  deps: HttpDeps,
  caller: UserRecord,
  named: NamedPlace,
  { mayBeGone = false } = {},
): Promise<SettablePlace> {
  const isAdmin = caller.globalRole === 'admin';
  const find = { deps, mayBeGone };
  const { fleet, project } = await namesFound(find, caller, named);
  const manages = async (id: Id) => isManager(await deps.store.projects.role(id, caller.id));
  const isOfUsers = named.user_name !== null;
  const isOthers = fleet !== null && fleet.owner.id !== project.id;
  const mayLimit =
    (isOfUsers && (await manages(project.id))) || (isOthers && (await manages(fleet.owner.id)));
  if (!isAdmin && !mayLimit) throw refusal(caller, { project, isOfUsers, isOthers });
  const user = await userOf(find, project, named.user_name);
  return {
    ...{ projectId: project.id, fleetId: fleet?.id ?? null, userId: user },
    ...{ project, fleetOwner: fleet?.owner ?? null },
    names: { fleet: named.fleet_name, user: named.user_name },
    isOfProjects: isAdmin || (isOfUsers && (await manages(project.id))),
  };
}

export const isManager = (role: string | null): boolean => role === 'manager' || role === 'admin';

interface NamedFleet {
  readonly id: Id;
  readonly owner: ProjectRecord;
}

interface Finding {
  readonly deps: HttpDeps;
  readonly mayBeGone: boolean;
}

/** Projects that the caller may not see do not exist for him, unless one imports a fleet that he manages. */
async function namesFound(
  find: Finding,
  caller: UserRecord,
  { project_name, fleet_name }: NamedPlace,
): Promise<{ readonly project: ProjectRecord; readonly fleet: NamedFleet | null }> {
  const { projects } = find.deps.store;
  const project = await projects.byName(project_name);
  if (project === null) throw unknownProject(project_name);
  const fleet = fleet_name === null ? null : await fleetOf(find, project, fleet_name);
  const isVisible =
    caller.globalRole === 'admin' ||
    (await projects.role(project.id, caller.id)) !== null ||
    (fleet !== null && isManager(await projects.role(fleet.owner.id, caller.id)));
  if (!isVisible) throw unknownProject(project_name);
  if (fleet === null && fleet_name !== null) {
    throw new ApiError(
      'resource_not_exists',
      `Fleet '${fleet_name}' not found: project '${project.name}' neither has nor imports it; write project/fleet for a fleet of another project`,
      { fields: [['fleet_name']] },
    );
  }
  return { project, fleet };
}

const unknownProject = (name: string) =>
  new ApiError('resource_not_exists', `Project '${name}' not found`, {
    fields: [['project_name']],
  });

/** Null: the project may not use such a fleet. */
async function fleetOf(
  { deps, mayBeGone }: Finding,
  project: ProjectRecord,
  reference: string,
): Promise<NamedFleet | null> {
  const [first = '', second] = reference.split('/');
  const owner = second === undefined ? project : await deps.store.projects.byName(first);
  const view = owner && (await deps.store.fleets.byName(owner.id, second ?? first));
  const id = view?.fleet.id;
  if (!owner || id === undefined) return null;
  const isUsable =
    owner.id === project.id ||
    (await deps.store.exports.isImported('fleet', id, [project.id])) ||
    (mayBeGone &&
      (await deps.store.quotas.list([project.id])).some(({ quota }) => quota.fleetId === id));
  return isUsable ? { id, owner } : null;
}

async function userOf(
  { deps, mayBeGone }: Finding,
  project: ProjectRecord,
  name: string | null,
): Promise<Id | null> {
  if (name === null || name === EVERY_USER) return name;
  const user = await deps.store.users.byName(name);
  const role = user && (await deps.store.projects.role(project.id, user.id));
  if (user !== null && (role !== null || user.globalRole === 'admin')) return user.id;
  const views = mayBeGone ? await deps.store.quotas.list([project.id]) : [];
  const known = views.find(({ userName }) => userName?.toLowerCase() === name.toLowerCase());
  if (known?.quota.userId) return known.quota.userId;
  throw new ApiError('error', `User '${name}' is not a member of project '${project.name}'`, {
    fields: [['user_name']],
  });
}

function refusal(
  caller: UserRecord,
  place: {
    readonly project: ProjectRecord;
    readonly isOfUsers: boolean;
    readonly isOthers: boolean;
  },
): Error {
  const { project, isOfUsers, isOthers } = place;
  if (isOfUsers) {
    return accessDenied(
      `Access denied: quotas of users in project ${project.name} are set by its managers; ask one of them`,
    );
  }
  if (isOthers) {
    return accessDenied(
      'Access denied: limits on this fleet are set by managers of the project that owns it; ask one of them',
    );
  }
  return missingGlobalRole(caller);
}
