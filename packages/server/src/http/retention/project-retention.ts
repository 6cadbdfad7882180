/** How long a project keeps its runs and their output. */
import { ruleError, type SetRetentionRequest } from '@dstack/contract/api';
import type { ProjectRetention } from '@dstack/contract/wire';
import type { ProjectRecord, UserRecord } from '@dstack/store';
import { keptInProject } from '../../retention/policy.ts';
import type { HttpDeps } from '../ports.ts';

export async function projectRetention(
  { store, settings }: HttpDeps,
  project: ProjectRecord,
): Promise<ProjectRetention> {
  const own = await store.retention.ofProject(project.id);
  const { runs, logs } = keptInProject(settings.retention, own);
  return {
    runs_seconds: own.runsSeconds,
    logs_seconds: own.logsSeconds,
    effective_runs_seconds: runs,
    effective_logs_seconds: logs,
  };
}

/** Admins of the project may keep less than the server does; only admins of the server may keep more. */
export async function setProjectRetention(
  deps: HttpDeps,
  project: ProjectRecord,
  { runs_seconds, logs_seconds }: SetRetentionRequest,
  caller: UserRecord,
): Promise<ProjectRetention> {
  const { store, settings } = deps;
  const wanted = { runs: runs_seconds, logs: logs_seconds };
  for (const kind of ['runs', 'logs'] as const) {
    const [seconds, most] = [wanted[kind], settings.retention[kind]];
    if (seconds === null || most === null || seconds <= most) continue;
    if (caller.globalRole === 'admin') continue;
    throw ruleError(
      `The server keeps ${kind} for ${most} seconds (DSTACK_SERVER_${kind.toUpperCase()}_TTL_SECONDS); only an admin of the server may let a project keep them for longer`,
    );
  }
  await store.retention.setOfProject(project.id, {
    runsSeconds: runs_seconds,
    logsSeconds: logs_seconds,
  });
  return await projectRetention(deps, project);
}
