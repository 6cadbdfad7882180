import type { GatewayService } from '@dstack/contract/agent';
import type { Id } from '@dstack/core';

/** Where requests to a replica of a service go. */
export interface ReachedReplica {
  readonly hostId: string;
  readonly port: number;
}

/** `left`: until a moment ago, so messages about it may still be on their way. */
export type Standing = 'served' | 'left' | 'foreign';

export type SentService = Pick<
  GatewayService,
  'run_id' | 'project' | 'host' | 'custom_hosts' | 'custom_paths'
> & {
  readonly replicas: readonly Pick<
    GatewayService['replicas'][number],
    'job_id' | 'host_id' | 'port'
  >[];
  /** Name of the model that the service has; null = none. */
  readonly model: string | null;
};

/** Milliseconds in which requests that were chosen for a replica before it left still reach it. */
const LAST_REQUESTS_MS = 60_000;
/** Milliseconds in which counts of a service that has left are no sign of abuse. */
const LAST_COUNTS_MS = 3_600_000;
/** Services and replicas that have left. */
const MOST_LEFT = 10_000;

/** The services and jobs that one replica has received over its present link: it may report no others. */
export class GatewayReach {
  /** Milliseconds. */
  readonly #now: () => number;
  readonly #services = new Map<Id, SentService>();
  readonly #replicas = new Map<Id, ReachedReplica>();
  /** In lower case; null = to be collected again. */
  #projects: ReadonlySet<string> | null = null;
  readonly #left = new Map<Id, { readonly service: SentService; readonly at: number }>();
  readonly #leftReplicas = new Map<Id, ReachedReplica & { readonly at: number }>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** All services; the others have left. */
  replace(services: readonly SentService[]): void {
    const kept = new Set(services.map(({ run_id }) => run_id));
    for (const runId of [...this.#services.keys()]) if (!kept.has(runId)) this.remove(runId);
    for (const service of services) this.set(service);
  }

  set(service: SentService): void {
    const before = this.#services.get(service.run_id);
    this.#services.set(service.run_id, service);
    this.#projects = null;
    this.#left.delete(service.run_id);
    const kept = new Set(service.replicas.map(({ job_id }) => job_id));
    for (const { job_id } of before?.replicas ?? []) if (!kept.has(job_id)) this.#leave(job_id);
    for (const { job_id, host_id, port } of service.replicas) {
      this.#replicas.set(job_id, { hostId: host_id, port });
      this.#leftReplicas.delete(job_id);
    }
  }

  remove(runId: Id): void {
    const service = this.#services.get(runId);
    if (service === undefined) return;
    this.#services.delete(runId);
    this.#projects = null;
    for (const { job_id } of service.replicas) this.#leave(job_id);
    this.#left.set(runId, { service, at: this.#now() });
    dropOldest(this.#left);
  }

  has(runId: Id): boolean {
    return this.#services.has(runId);
  }

  servesJob(jobId: Id): boolean {
    return this.#replicas.has(jobId);
  }

  standing(runId: Id): Standing {
    if (this.#services.has(runId)) return 'served';
    const left = this.#left.get(runId);
    return left && this.#now() - left.at < LAST_COUNTS_MS ? 'left' : 'foreign';
  }

  /** Null: the gateway serves no such replica. */
  replica(jobId: Id): ReachedReplica | null {
    const served = this.#replicas.get(jobId);
    if (served) return served;
    const left = this.#leftReplicas.get(jobId);
    return left && this.#now() - left.at < LAST_REQUESTS_MS ? left : null;
  }

  /** Whether a service of the project is behind the gateway now. Names ignore case. */
  servesProject(project: string): boolean {
    this.#projects ??= new Set(this.#served().map((one) => one.project.toLowerCase()));
    return this.#projects.has(project.toLowerCase());
  }

  /** Whether the project has such a model behind the gateway, or had it until a moment ago. */
  hasModel(project: string, model: string): boolean {
    const wanted = project.toLowerCase();
    const recent = [...this.#left.values()].map(({ service }) => service);
    return [...this.#served(), ...recent].some(
      (one) => one.model === model && one.project.toLowerCase() === wanted,
    );
  }

  /** Host names that lead to the gateway: of services, of their models, and of their domains. */
  get names(): ReadonlySet<string> {
    const services = this.#served();
    const domains = services.map(({ host }) => domainOf(host));
    return new Set([
      ...services.flatMap(customNames),
      ...services.map(({ host }) => host),
      ...domains,
      ...domains.map((domain) => `gateway.${domain}`),
    ]);
  }

  /** Those that users have given to their services. */
  get customNames(): ReadonlySet<string> {
    return new Set(this.#served().flatMap(customNames));
  }

  #served(): SentService[] {
    return [...this.#services.values()];
  }

  #leave(jobId: Id): void {
    const replica = this.#replicas.get(jobId);
    if (replica === undefined) return;
    this.#replicas.delete(jobId);
    this.#leftReplicas.set(jobId, { ...replica, at: this.#now() });
    dropOldest(this.#leftReplicas);
  }
}

/** The domain of `<run>.<domain>`. */
const domainOf = (host: string): string => host.slice(host.indexOf('.') + 1);

function customNames({ custom_hosts: hosts, custom_paths: paths }: SentService): string[] {
  return [...(hosts ?? []), ...(paths ?? []).map(({ host }) => host)];
}

function dropOldest(left: Map<Id, unknown>): void {
  const [oldest] = left.keys();
  if (left.size > MOST_LEFT && oldest !== undefined) left.delete(oldest);
}
