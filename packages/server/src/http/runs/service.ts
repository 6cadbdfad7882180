/** Lists runs as callers may see them; stops them. */
import {
  type GetRunRequest,
  type ListRunsRequest,
  notExists,
  ruleError,
} from '@dstack/contract/api';
import type { Run } from '@dstack/contract/wire';
import { arrayOf, stopRun } from '@dstack/core';
import type { ProjectRecord, RunView, UserRecord } from '@dstack/store';
import { actorOf } from '../event-actor.ts';
import { mapInTurns } from '../in-turns.ts';
import { wireRun } from '../mapping/run.ts';
import { pageOf } from '../paging.ts';
import type { HttpDeps } from '../ports.ts';
import { repoDoesNotExist } from '../repos/service.ts';
import { visibleProjects } from '../visible-projects.ts';
import { stopUnborn, unbornMember } from './arrays.ts';

/** Submissions of each job in a list, unless the caller requests fewer. */
const LISTED_SUBMISSIONS = 10;

/** Finished and deleted ones too, unless `only_active`. */
export async function listRuns(
  deps: HttpDeps,
  caller: UserRecord,
  request: ListRunsRequest,
): Promise<Run[]> {
  const userId = request.username === null ? null : await userIdOf(deps, request.username);
  const projectIds = await visibleProjects(deps, caller, request.project_name);
  // A repo is identified only within its project.
  if (request.repo_id !== null && request.project_name === null) return [];
  if (request.repo_id !== null) await checkRepo(deps, projectIds?.[0], request.repo_id);
  const submissionsLimit = request.job_submissions_limit ?? LISTED_SUBMISSIONS;
  const arrayId = await listedArray(deps, projectIds, request);
  if (arrayId === null) throw notExists(`Array ${request.array} not found`);
  const found = await deps.store.runs.list({
    projectIds,
    ...(arrayId !== undefined && { arrayId }),
    userId,
    repoId: request.repo_id,
    onlyActive: request.only_active,
    includeJobs: request.include_jobs,
    submissionsLimit,
    page: pageOf(request.prev_submitted_at, request.prev_run_id, request),
  });
  const { now } = deps.context();
  const { sshEntry: entry, serviceOrigins: origins } = deps.settings;
  const submissions = submissionsLimit > 0;
  return await mapInTurns(found, (view) => wireRun(view, { now, entry, origins, submissions }));
}

/** Undefined: no members are listed; null: the project has no such array. */
async function listedArray(
  deps: HttpDeps,
  projectIds: readonly string[] | null,
  { array, project_name: project }: ListRunsRequest,
): Promise<string | null | undefined> {
  if (array === null) return undefined;
  const [projectId] = projectIds ?? [];
  if (project === null || projectId === undefined) return null;
  const [run] = await deps.store.runs.byNames(projectId, [array]);
  return run !== undefined && arrayOf(run.spec) !== null ? run.id : null;
}

async function userIdOf(deps: HttpDeps, name: string): Promise<string> {
  const user = await deps.store.users.byName(name);
  if (user === null) throw notExists('User not found');
  return user.id;
}

async function checkRepo(
  deps: HttpDeps,
  projectId: string | undefined,
  repoId: string,
): Promise<void> {
  if (projectId === undefined) return;
  if ((await deps.store.repos.byRepoId(projectId, repoId)) === null) throw repoDoesNotExist(repoId);
}

/** By id also deleted ones, by name the present one; with all submissions. */
export async function getRun(
  deps: HttpDeps,
  project: ProjectRecord,
  request: GetRunRequest,
): Promise<Run> {
  if (request.run_name === null && request.id === null) {
    throw ruleError('run_name or id must be specified');
  }
  const view = await storedRun(deps, project, request);
  if (view === null) throw notExists('Run not found');
  return wireRun(view, {
    now: deps.context().now,
    entry: deps.settings.sshEntry,
    origins: deps.settings.serviceOrigins,
    connection: true,
  });
}

export async function storedRun(
  deps: HttpDeps,
  project: ProjectRecord,
  request: Pick<GetRunRequest, 'id' | 'run_name'>,
): Promise<RunView | null> {
  const { runs } = deps.store;
  if (request.id !== null) {
    const view = await runs.byId(request.id);
    return view?.run.projectId === project.id ? view : null;
  }
  if (request.run_name === null) return null;
  const view = await runs.byName(project.id, request.run_name);
  return view ?? (await unbornMember(deps, project, request.run_name));
}

/** Unknown and finished ones are ignored; the runs end later, an array with its members. */
export async function stopRuns(
  deps: HttpDeps,
  project: ProjectRecord,
  stop: { readonly names: readonly string[]; readonly abort: boolean },
  actor: UserRecord,
): Promise<void> {
  const { abort, names } = stop;
  const request = { abort, actor: actorOf(actor) };
  const found = await deps.store.runs.byNames(project.id, names);
  const known = new Set(found.map(({ name }) => name));
  for (const name of names) {
    if (!known.has(name)) {
      await stopUnborn(deps, project, name, { ...request, now: deps.context().now });
    }
  }
  // Also those that were born meanwhile.
  await deps.store.engine.updateUnfinishedRuns(project.id, names, ({ run }) =>
    stopRun(run, { ...request, now: deps.context().now }),
  );
}
