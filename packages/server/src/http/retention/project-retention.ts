/** How long a project keeps its runs, their output, events and metrics. */
import { ruleError, type SetRetentionRequest } from '@dstack/contract/api';
import type { ProjectRetention } from '@dstack/contract/wire';
import type { ProjectRecord, UserRecord } from '@dstack/store';
import { keptByServer, keptInProject } from '../../retention/policy.ts';
import type { HttpDeps } from '../ports.ts';

export async function projectRetention(
  { store, settings }: HttpDeps,
  project: ProjectRecord,
): Promise<ProjectRetention> {
  const own = await store.retention.ofProject(project.id);
  const { runs, logs, events, metrics } = keptInProject(settings.retention, own);
  return {
    runs_seconds: own.runsSeconds,
    logs_seconds: own.logsSeconds,
    events_seconds: own.eventsSeconds,
    metrics_seconds: own.metricsSeconds,
    effective_runs_seconds: runs,
    effective_logs_seconds: logs,
    effective_events_seconds: events,
    effective_metrics_seconds: metrics,
  };
}

const VARIABLES = {
  runs: 'DSTACK_SERVER_RUNS_TTL_SECONDS',
  logs: 'DSTACK_SERVER_LOGS_TTL_SECONDS',
  events: 'DSTACK_SERVER_EVENTS_TTL_SECONDS',
  metrics: 'DSTACK_SERVER_METRICS_HOURS_TTL_SECONDS',
};

/** Admins of the project may keep less than the server does; only admins of the server may keep more. */
export async function setProjectRetention(
  deps: HttpDeps,
  project: ProjectRecord,
  wanted: SetRetentionRequest,
  caller: UserRecord,
): Promise<ProjectRetention> {
  const { store, settings } = deps;
  const server = keptByServer(settings.retention);
  for (const kind of ['runs', 'logs', 'events', 'metrics'] as const) {
    const [seconds, most] = [wanted[`${kind}_seconds`], server[kind]];
    if (seconds === null || most === null || seconds <= most) continue;
    if (caller.globalRole === 'admin') continue;
    throw ruleError(
      `The server keeps ${kind} for ${most} seconds (${VARIABLES[kind]}); only an admin of the server may let a project keep them for longer`,
    );
  }
  await store.retention.setOfProject(project.id, {
    runsSeconds: wanted.runs_seconds,
    logsSeconds: wanted.logs_seconds,
    eventsSeconds: wanted.events_seconds,
    metricsSeconds: wanted.metrics_seconds,
  });
  return await projectRetention(deps, project);
}
