import type { On } from '../call.ts';
import type { HttpDeps } from '../ports.ts';
import { getRepo, initRepo, listRepos, uploadCode } from './service.ts';

export function repoRoutes(on: On, deps: HttpDeps): void {
  on('repos.list', ({ project }) => listRepos(deps, project));
  on('repos.get', ({ project, body, user }) =>
    getRepo(deps, project, body.repo_id, body.include_creds ? user : null),
  );
  on('repos.init', async ({ project, body, user }) => {
    await initRepo(deps, project, body, user);
    return null;
  });
  on('repos.delete', async ({ project, body }) => {
    await deps.store.repos.delete(project.id, body.repos_ids);
    return null;
  });
  on('repos.upload_code', async ({ project, query, file }) => {
    await uploadCode(deps, project, query.repo_id, file);
    return null;
  });
}
