/** Repos: the sources of runs' code, and the uploaded changes. */
import { ApiError, notExists, type SaveRepoCredsRequest } from '@dstack/contract/api';
import type { RepoHead, RepoHeadWithCreds } from '@dstack/contract/wire';
import type { ProjectRecord, RepoRecord, UserRecord } from '@dstack/store';
import type { HttpDeps } from '../ports.ts';
import type { UploadedFile } from '../uploads.ts';

export function repoDoesNotExist(repoId: string): ApiError {
  return new ApiError('repo_does_not_exist', `Repo ${repoId} does not exist`);
}

export async function listRepos(deps: HttpDeps, project: ProjectRecord): Promise<RepoHead[]> {
  return (await deps.store.repos.list(project.id)).map(wireRepo);
}

/** Credentials: the caller's own, otherwise those shared by the project. */
export async function getRepo(
  deps: HttpDeps,
  project: ProjectRecord,
  repoId: string,
  credentialsOf: UserRecord | null,
): Promise<RepoHeadWithCreds> {
  const repo = await deps.store.repos.byRepoId(project.id, repoId);
  if (repo === null) throw notExists(`Repo '${repoId}' not found`);
  const hasCreds = credentialsOf !== null && repo.info.repo_type === 'remote';
  const creds = hasCreds ? await credentials(deps, repo, credentialsOf) : null;
  return { ...wireRepo(repo), repo_creds: creds };
}

async function credentials(deps: HttpDeps, repo: RepoRecord, user: UserRecord) {
  const own = await deps.store.repos.credentials(repo.id, user.id);
  return own ?? deps.store.repos.credentials(repo.id, null);
}

/** Without credentials the caller's own ones are deleted. */
export async function initRepo(
  deps: HttpDeps,
  project: ProjectRecord,
  request: SaveRepoCredsRequest,
  user: UserRecord,
): Promise<void> {
  const { repos } = deps.store;
  const repo = await repos.upsert({
    id: deps.context().newId(),
    projectId: project.id,
    repoId: request.repo_id,
    info: request.repo_info,
  });
  if (repo.info.repo_type !== 'remote') return;
  await repos.setCredentials(repo.id, user.id, request.repo_creds);
}

/** Uploads are identified by repo and hash; an existing one is not stored again. */
export async function uploadCode(
  deps: HttpDeps,
  project: ProjectRecord,
  repoId: string,
  read: () => Promise<UploadedFile>,
): Promise<void> {
  const repo = await deps.store.repos.byRepoId(project.id, repoId);
  if (repo === null) throw repoDoesNotExist(repoId);
  const file = await read();
  const { now, newId } = deps.context();
  await deps.store.repos.insertCode({
    id: newId(),
    repoId: repo.id,
    hash: file.hash,
    sha256: file.hash,
    size: file.size,
    createdAt: now,
  });
}

function wireRepo(repo: RepoRecord): RepoHead {
  return { repo_id: repo.repoId, repo_info: repo.info };
}
