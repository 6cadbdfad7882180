import type { Project, Quota, User } from '@dstack/contract/wire';
import { projectRights } from '../projects/project-rights.ts';

/** The terms of a quota that the user may set, for the page only: the server checks each request itself. */
export type QuotaRight = 'all' | 'terms' | 'limit' | 'none';

type Place = Pick<Quota, 'project_name' | 'fleet_name' | 'user_name'>;
type Caller = Pick<User, 'id' | 'global_role'>;

/**
 * `all`: also guarantees. `terms`: limit and weight. `limit`: nothing else. `projects`: those of the user, with the
 * role in each.
 */
export function quotaRight(place: Place, projects: readonly Project[], user: Caller): QuotaRight {
  if (user.global_role === 'admin') return 'all';
  const manages = (name: string) => {
    const project = projects.find(({ project_name }) => project_name === name);
    return project !== undefined && projectRights(project, user).canManage;
  };
  if (place.user_name !== null && manages(place.project_name)) return 'terms';
  const owner = ownerOf(place.fleet_name);
  return owner !== null && owner !== place.project_name && manages(owner) ? 'limit' : 'none';
}

/** The project of `project/fleet`; null: the fleet is the project's own. */
function ownerOf(fleet: string | null): string | null {
  const parts = fleet?.split('/') ?? [];
  return parts.length === 2 ? (parts[0] ?? null) : null;
}

/** Whether the user may set any quota at all. */
export const maySetQuotas = (projects: readonly Project[], user: Caller): boolean =>
  user.global_role === 'admin' ||
  projects.some((project) => projectRights(project, user).canManage);

/** Who can help where the user may not. */
export function rightReason({ user_name, fleet_name }: Place): string {
  if (user_name !== null) return 'Managers of the project set quotas of its users';
  if (ownerOf(fleet_name) !== null) return 'Managers of the project that owns the fleet set it';
  return 'Global admins set quotas of projects';
}
