import type { On } from '../call.ts';
import type { HttpDeps } from '../ports.ts';
import { addMembers, removeMembers, setMembers } from './members.ts';
import {
  createProject,
  deleteProjects,
  listProjects,
  projectCard,
  projectsWithoutFleets,
  updateProject,
} from './service.ts';

export function projectRoutes(on: On, deps: HttpDeps): void {
  on('projects.list', ({ user, body }) => listProjects(deps, user, body));
  on('projects.list_only_no_fleets', ({ user }) => projectsWithoutFleets(deps, user));
  on('projects.create', async ({ user, body }) =>
    projectCard(deps, await createProject(deps, body, user)),
  );
  on('projects.delete', async ({ user, body }) => {
    await deleteProjects(deps, body.projects_names, user);
    return null;
  });
  on('projects.get', ({ project }) => projectCard(deps, project));
  on('projects.update', async ({ user, project, body }) =>
    projectCard(deps, await updateProject(deps, project, body, user)),
  );
  on('projects.set_members', async ({ project, body, user, role }) => {
    await setMembers(deps, project, body.members, { user, role });
    return projectCard(deps, project);
  });
  on('projects.add_members', async ({ project, body, user, role }) => {
    await addMembers(deps, project, body.members, { user, role });
    return projectCard(deps, project);
  });
  on('projects.remove_members', async ({ project, body, user, role }) => {
    await removeMembers(deps, project, body.usernames, { user, role });
    return projectCard(deps, project);
  });
}
