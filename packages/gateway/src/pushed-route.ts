/** A service as the server sends it, in the form that workers take. */
import type { GatewayReplicaRoute, GatewayService } from '@dstack/contract/agent';
import type { ServiceConfiguration } from '@dstack/contract/wire';
import {
  type Model,
  type PushedRoute,
  type PushedService,
  routeOf,
  type TunnelRoute,
} from '@dstack/proxy';

/** `service` null: it has left. */
export function pushedRoute(runId: string, service: GatewayService | null): PushedRoute {
  return { runId, service: service && pushedService(service), hosts: {} };
}

export const pushedRoutes = (services: readonly GatewayService[]): PushedRoute[] =>
  services.map((one) => pushedRoute(one.run_id, one));

function pushedService(service: GatewayService): PushedService {
  const { run_id: runId, project, run, host, https, replicas } = service;
  const configuration = JSON.parse(service.configuration) as ServiceConfiguration;
  const { model } = configuration;
  const route = routeOf({
    ...{ runId, projectName: project, runName: run },
    configuration: { ...configuration, strip_prefix: configuration.strip_prefix ?? true },
    replicas: replicas.map(({ job_id, host_id, port, running_at, failing }) => ({
      ...{ jobId: job_id, hostId: host_id, port, runningAt: running_at, isFailing: failing },
    })),
  });
  const { submitted_at: submittedAt = null, running } = service;
  return {
    ...{ projectId: project, host, https, route },
    customHosts: [
      ...(service.custom_hosts ?? []).map((name) => ({ host: name, path: '' })),
      // Services that an earlier version has stored have none.
      ...(service.custom_paths ?? []),
    ],
    isGrpc: configuration.protocol === 'grpc',
    tunnels: Object.fromEntries(replicas.flatMap((replica) => tunnelOf(replica))),
    served: model
      ? { route, model: completed(model), submittedAt, isRunning: running ?? true }
      : null,
  };
}

/** The configuration that an earlier version has stored may lack the prefix. */
function completed(model: Model): Model {
  return model.format === 'openai' ? { ...model, prefix: model.prefix ?? '/v1' } : model;
}

function tunnelOf({ job_id, tunnel }: GatewayReplicaRoute): [string, TunnelRoute][] {
  // Routes that an earlier version has stored have none.
  if (!tunnel) return [];
  const { hostname, port, user, host_key, job_port, job_host_key } = tunnel;
  const keys = { hostKey: host_key, jobHostKey: job_host_key };
  return [[job_id, { hostname, port, user, jobPort: job_port, ...keys }]];
}
