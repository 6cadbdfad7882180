import type { ModelTable, ServedModel } from '../models/served-model.ts';
import { type HostMatch, HostRoutes } from '../policy/host-routes.ts';
import { ProxyRefusal } from '../refusals/refusal.ts';
import type { TunnelRoute } from '../replicas/replica-tunnels.ts';
import type { PushedRoute, PushedService } from './protocol.ts';

/** The services that were pushed to this process: by run, by name, by host name, by model. */
export class PushedTable implements ModelTable {
  readonly #byRun = new Map<string, PushedService>();
  readonly #byName = new Map<string, PushedService>();
  /** Null: services have changed since it was made. */
  #hosts: HostRoutes<PushedService> | null = null;

  put({ runId, service }: PushedRoute): void {
    this.#hosts = null;
    const before = this.#byRun.get(runId);
    if (before && this.#byName.get(keyOf(before)) === before) this.#byName.delete(keyOf(before));
    if (service === null) {
      this.#byRun.delete(runId);
      return;
    }
    this.#byRun.set(runId, service);
    this.#byName.set(keyOf(service), service);
  }

  /** Returns the ids of the runs whose services may have changed, or have left. */
  replace(routes: readonly PushedRoute[]): string[] {
    const before = [...this.#byRun.keys()];
    this.#byRun.clear();
    this.#byName.clear();
    for (const route of routes) this.put(route);
    return [...new Set([...before, ...this.#byRun.keys()])];
  }

  get size(): number {
    return this.#byRun.size;
  }

  get all(): PushedService[] {
    return [...this.#byRun.values()];
  }

  get hostIds(): ReadonlySet<string> {
    return new Set(this.all.flatMap(({ route }) => route.replicas.map(({ hostId }) => hostId)));
  }

  /** The ways to replicas on other hosts, by the ids of their jobs. */
  get tunnels(): Map<string, TunnelRoute> {
    return new Map(this.all.flatMap(({ tunnels }) => Object.entries(tunnels)));
  }

  ofName(project: string, run: string): PushedService | null {
    return this.#byName.get(nameKey(project, run)) ?? null;
  }

  /** `url`: path and query. Null: no service has the host name. Throws `ProxyRefusal`. */
  ofHost(host: string, url: string): HostMatch<PushedService> | null {
    const hosts = this.#byHost;
    if (!hosts.has(host)) return null;
    const found = hosts.find(host, url);
    if (found === null) throw new ProxyRefusal(404, `No service at ${host} has this path`);
    return found;
  }

  /** Services that have a host name alone, by that name. */
  get wholeHosts(): ReadonlyMap<string, PushedService> {
    return this.#byHost.wholes;
  }

  /** Finished ones are known to the server alone. */
  async withModels(
    projectId: string,
    which: 'unfinished' | 'finished',
  ): Promise<readonly ServedModel[]> {
    if (which === 'finished') return [];
    const wanted = projectId.toLowerCase();
    return this.all
      .reverse()
      .flatMap((one) => (one.projectId.toLowerCase() === wanted && one.served) || [])
      .sort((a, b) => (b.submittedAt ?? 0) - (a.submittedAt ?? 0));
  }

  /** Newest last: of two services with one host name, the older one keeps it. */
  get #byHost(): HostRoutes<PushedService> {
    if (this.#hosts !== null) return this.#hosts;
    const hosts = new HostRoutes<PushedService>();
    const named = this.all.filter(({ host }) => host !== null);
    for (const one of named) {
      hosts.add({ project: one.route.projectName, host: one.host ?? '', path: '' }, one);
    }
    // Names of runs come first: no custom one takes them.
    for (const one of named) {
      const { projectName: project } = one.route;
      for (const own of one.customHosts) hosts.add({ ...own, project }, one);
    }
    this.#hosts = hosts;
    return hosts;
  }
}

const nameKey = (project: string, run: string) => `${project.toLowerCase()}/${run}`;
const keyOf = ({ route }: PushedService) => nameKey(route.projectName, route.runName);
