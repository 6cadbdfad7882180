/** The services that the server has sent, by host name. */
import type { GatewayReplicaRoute, GatewayService } from '@dstack/contract/agent';
import type { ServiceConfiguration } from '@dstack/contract/wire';
import {
  type HostMatch,
  HostRoutes,
  type Model,
  type ModelTable,
  ProxyRefusal,
  routeOf,
  type ServedModel,
  type ServiceRoute,
  type TunnelRoute,
} from '@dstack/proxy';

type HostPath = NonNullable<GatewayService['custom_paths']>[number];

export interface HostedService {
  readonly runId: string;
  readonly project: string;
  readonly run: string;
  readonly host: string;
  /** Names of its users, which lead to it too. */
  readonly customHosts: readonly HostPath[];
  readonly https: boolean;
  /** The app does not receive the part of the path that leads to it. */
  readonly stripPrefix: boolean;
  /** Its app answers calls of gRPC, and nothing else. */
  readonly isGrpc: boolean;
  /** Null: it serves no model. */
  readonly served: ServedModel | null;
  readonly route: ServiceRoute;
  /** By the ids of jobs. */
  readonly tunnels: ReadonlyMap<string, TunnelRoute>;
}

export class HostedServices implements ModelTable {
  readonly #byRun = new Map<string, HostedService>();
  #hosts = new HostRoutes<HostedService>();
  readonly #byName = new Map<string, HostedService>();

  /** Returns the ids of the runs whose services have changed or left. */
  replace(services: readonly GatewayService[]): string[] {
    const before = [...this.#byRun.keys()];
    this.#byRun.clear();
    for (const one of services) this.#byRun.set(one.run_id, hosted(one));
    this.#index();
    return [...new Set([...before, ...this.#byRun.keys()])];
  }

  set(runId: string, service: GatewayService | null): void {
    if (service === null) this.#byRun.delete(runId);
    else this.#byRun.set(runId, hosted(service));
    this.#index();
  }

  get all(): HostedService[] {
    return [...this.#byRun.values()];
  }

  /** The ways to replicas on other hosts, by the ids of their jobs. */
  get tunnels(): Map<string, TunnelRoute> {
    return new Map(this.all.flatMap(({ tunnels }) => [...tunnels]));
  }

  /** `url`: path and query. Null: no service has the host name. Throws `ProxyRefusal`. */
  ofHost(host: string, url: string): HostMatch<HostedService> | null {
    if (!this.#hosts.has(host)) return null;
    const found = this.#hosts.find(host, url);
    if (found === null) throw new ProxyRefusal(404, `No service at ${host} has this path`);
    return found;
  }

  /** Services that have a host name alone, by that name. */
  get wholeHosts(): ReadonlyMap<string, HostedService> {
    return this.#hosts.wholes;
  }

  ofName(project: string, run: string): HostedService | null {
    return this.#byName.get(nameKey(project, run)) ?? null;
  }

  /** Returns the models of the project with this name. The server sends no finished ones. */
  async withModels(project: string, which: 'unfinished' | 'finished'): Promise<ServedModel[]> {
    if (which === 'finished') return [];
    const name = project.toLowerCase();
    const own = this.all.filter((one) => one.project.toLowerCase() === name);
    return own.flatMap(({ served }) => served ?? []).reverse();
  }

  /** Newest last: of two services with one host name, the older one keeps it. */
  #index(): void {
    const hosts = new HostRoutes<HostedService>();
    this.#byName.clear();
    for (const one of this.#byRun.values()) {
      hosts.add({ project: one.project, host: one.host, path: '' }, one);
      this.#byName.set(nameKey(one.project, one.run), one);
    }
    // Names of runs come first: no custom one takes them.
    for (const one of this.#byRun.values()) {
      for (const own of one.customHosts) hosts.add({ ...own, project: one.project }, one);
    }
    this.#hosts = hosts;
  }
}

const nameKey = (project: string, run: string) => `${project.toLowerCase()}/${run}`;

function hosted(service: GatewayService): HostedService {
  const { run_id: id, project, run, host, https, replicas } = service;
  const configuration = JSON.parse(service.configuration) as ServiceConfiguration;
  const { model } = configuration;
  const route = routeOf({
    ...{ runId: id, projectName: project, runName: run, configuration },
    replicas: replicas.map(({ job_id, host_id, port, running_at, failing }) => ({
      ...{ jobId: job_id, hostId: host_id, port, runningAt: running_at, isFailing: failing },
    })),
  });
  const { submitted_at: submittedAt = null, running } = service;
  return {
    ...{ runId: id, project, run, host, https, route },
    stripPrefix: configuration.strip_prefix ?? true,
    customHosts: [
      ...(service.custom_hosts ?? []).map((name) => ({ host: name, path: '' })),
      // Services that an earlier version has stored have none.
      ...(service.custom_paths ?? []),
    ],
    isGrpc: configuration.protocol === 'grpc',
    tunnels: new Map(replicas.flatMap((replica) => tunnelOf(replica))),
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
