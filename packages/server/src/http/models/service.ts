import { type ModelUsageQuery, notExists } from '@dstack/contract/api';
import type { ModelUsageReport, ServiceFigures } from '@dstack/contract/wire';
import type { ProxiedService, ServiceStats } from '@dstack/proxy';
import type { ProjectRecord } from '@dstack/store';
import { serviceBehindGateway } from '../gateways/served-run.ts';
import type { HttpDeps } from '../ports.ts';

export async function serviceFigures(
  deps: HttpDeps,
  project: ProjectRecord,
  runName: string,
): Promise<ServiceFigures> {
  const { services } = deps;
  const route = await services.find({ projectName: project.name, runName });
  const state = route ? services.state(route) : await behindGateway(deps, project, runName);
  return {
    rps: state.rps,
    p50_ms: state.p50,
    p95_ms: state.p95,
    p99_ms: state.p99,
    in_flight: state.inFlight,
    held: state.held,
    replicas: state.replicas,
    ejected: state.ejected,
    answered: state.answered,
    mirrored: mirroredFigures(state.mirrored),
  };
}

async function behindGateway(
  { store, gatewayFigures }: HttpDeps,
  project: ProjectRecord,
  runName: string,
): Promise<ProxiedService> {
  const run = await serviceBehindGateway(store, project, runName);
  if (run === null) throw notExists(`Service ${runName} not found`);
  const state = await gatewayFigures.of(run.id);
  if (state !== null) return state;
  throw notExists(
    `The figures of service ${runName} are not known: no server is connected to its gateway. See \`dstack gateway list\``,
  );
}

function mirroredFigures({ answered: copies, ...times }: ServiceStats): ServiceFigures['mirrored'] {
  if (Object.keys(copies).length === 0) return null;
  return { rps: times.rps, p50_ms: times.p50, p95_ms: times.p95, p99_ms: times.p99, copies };
}

const DAY = 86_400_000_000;

/** Days that are shown by default. */
const DEFAULT_DAYS = 30;

export async function usageByModel(
  { store, context }: HttpDeps,
  project: ProjectRecord,
  { since }: ModelUsageQuery,
): Promise<ModelUsageReport> {
  const today = Math.floor(context().now / DAY);
  const from = since === null ? today - DEFAULT_DAYS + 1 : Math.floor(since / DAY);
  const rows = await store.modelUsage.list(project.id, from, today);
  return {
    usage: rows.map((row) => ({
      day: new Date(row.day * (DAY / 1000)).toISOString().slice(0, 10),
      model: row.model,
      user: row.userName,
      requests: row.requests,
      aborted: row.aborted,
      estimated: row.estimated,
      prompt_tokens: row.promptTokens,
      completion_tokens: row.completionTokens,
    })),
  };
}
