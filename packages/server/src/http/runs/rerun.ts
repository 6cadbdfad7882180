/** Submits what a run was made of again. */
import { notExists, type RerunRequest, ruleError } from '@dstack/contract/api';
import { isRunFinished } from '@dstack/contract/status';
import type { Run, RunSpec } from '@dstack/contract/wire';
import type { RunRecord } from '@dstack/core';
import type { ProjectRecord, RunView, UserRecord } from '@dstack/store';
import type { HttpDeps } from '../ports.ts';
import { checkPublicKey, submitNew, wireOf } from './apply.ts';
import { specOfFailed } from './arrays.ts';
import { effectiveRunSpec } from './effective-spec.ts';
import { storedRun } from './service.ts';

/**
 * The new run has the stored configuration, with its code and files, and belongs to the caller. Throws
 * `ApiError` if the run has not ended and the new one has no name of its own, or if an upload is missing.
 */
export async function rerunRun(
  deps: HttpDeps,
  project: ProjectRecord,
  user: UserRecord,
  request: RerunRequest,
): Promise<Run> {
  if (request.run_name === null && request.id === null) {
    throw ruleError('run_name or id must be specified');
  }
  const view = await storedRun(deps, project, request);
  if (view === null) throw notExists(`Run ${request.run_name ?? request.id} not found`);
  const { run } = view;
  const name = request.name ?? run.name;
  if (name === run.name && !isRunFinished(run.status)) {
    throw ruleError(
      `Run ${name} is ${run.status}: give the new run another name (--name), or stop this one first`,
    );
  }
  await checkUploads(deps, project, view);
  const stored = request.failed_only ? await specOfFailed(deps, view) : run.spec;
  const spec = await effectiveRunSpec(deps, project, user, specFor(user, run, stored, name));
  checkPublicKey(spec.ssh_key_pub);
  return await wireOf(deps, await submitNew(deps, project, user, spec, run.id));
}

/** Another user attaches with a key of their own. */
function specFor(user: UserRecord, { userId }: RunRecord, spec: RunSpec, name: string): RunSpec {
  const ssh_key_pub = userId === user.id ? spec.ssh_key_pub : null;
  return { ...spec, run_name: name, ssh_key_pub };
}

/** Uploads are kept while a run names them, and for a time after that. */
async function checkUploads(
  deps: HttpDeps,
  project: ProjectRecord,
  { run }: RunView,
): Promise<void> {
  const { repo_id: repoId, repo_code_hash: hash, file_archives: archives } = run.spec;
  const ids = [...new Set((archives ?? []).map(({ id }) => id))];
  const found = new Set((await deps.store.files.archivesByIds(ids)).map(({ id }) => id));
  const isComplete = ids.every((id) => found.has(id));
  if (isComplete && (await hasCode(deps, project, repoId, hash))) return;
  throw ruleError(
    `Run ${run.name} cannot be run again: ${isComplete ? 'its code was' : 'files of it were'} removed by retention. Apply its configuration again`,
  );
}

async function hasCode(
  deps: HttpDeps,
  project: ProjectRecord,
  repoId: string | null,
  hash: string | null,
): Promise<boolean> {
  if (!hash) return true;
  const repo = await deps.store.repos.byRepoId(project.id, repoId ?? '');
  return repo !== null && (await deps.store.repos.code(repo.id, hash)) !== null;
}
