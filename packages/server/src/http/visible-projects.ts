import type { UserRecord } from '@dstack/store';
import { confinement } from '../callers/scope.ts';
import type { HttpDeps } from './ports.ts';

/**
 * Projects whose resources the caller may list: their own, for global admins all (null). `name`
 * narrows to one project; one that does not exist or is not visible leaves none.
 */
export async function visibleProjects(
  deps: HttpDeps,
  caller: UserRecord,
  name: string | null = null,
): Promise<readonly string[] | null> {
  const only = confinement(caller);
  if (only !== null) {
    const project = await deps.store.projects.byId(only);
    return name === null || project?.name.toLowerCase() === name.toLowerCase() ? [only] : [];
  }
  const isAdmin = caller.globalRole === 'admin';
  if (name === null) return isAdmin ? null : deps.store.projects.idsOfMember(caller.id);
  const access = await deps.store.projects.access(name, caller.id);
  return access !== null && (isAdmin || access.role !== null) ? [access.project.id] : [];
}
