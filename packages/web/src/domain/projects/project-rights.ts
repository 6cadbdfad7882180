import type { Project, ProjectRole, User } from '@dstack/contract/wire';

/** The rights of the user in a project, for the page only: the server checks each request itself. */
export interface ProjectRights {
  /** Null: not a member. */
  readonly role: ProjectRole | null;
  readonly canManage: boolean;
  readonly canAdminister: boolean;
}

export function projectRights(
  project: Project,
  user: Pick<User, 'id' | 'global_role'>,
): ProjectRights {
  const role = project.members.find((member) => member.user.id === user.id)?.project_role ?? null;
  const isAdmin = user.global_role === 'admin' || role === 'admin';
  return { role, canManage: isAdmin || role === 'manager', canAdminister: isAdmin };
}

/** Why a control cannot be used; null: it can. */
export const managersOnly = ({ canManage }: ProjectRights): string | null =>
  canManage ? null : 'This needs the role manager in the project';
export const adminsOnly = ({ canAdminister }: ProjectRights): string | null =>
  canAdminister ? null : 'This needs the role admin in the project';

export const ROLE_HINTS: Readonly<Record<ProjectRole, string>> = {
  user: 'Submits runs, and manages their own',
  manager: 'Also manages members, secrets and fleets',
  admin: 'Also manages backends, gateways, tokens and the project',
};

export const ROLE_OPTIONS = (['user', 'manager', 'admin'] as const).map((value) => ({
  value,
  label: value[0]?.toUpperCase() + value.slice(1),
  hint: ROLE_HINTS[value],
}));
