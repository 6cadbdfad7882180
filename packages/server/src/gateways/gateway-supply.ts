import type { GatewayService } from '@dstack/contract/agent';
import type { GatewayReplicaRecord, Id } from '@dstack/core';
import type { ServiceView, Store } from '@dstack/store';
import type { GatewayLink } from './gateway-link.ts';
import { GatewayReach, type SentService } from './gateway-reach.ts';
import { gatewayService } from './gateway-service.ts';
import { type GivenToGateways, gatewaySettings, requestsCertificates } from './gateway-settings.ts';
import { withTunnels } from './gateway-tunnels.ts';
import { newAccountKey, placeAmong } from './replica-turns.ts';

export interface GatewaySupplyOptions {
  readonly store: Pick<Store, 'gateways' | 'services' | 'hosts' | 'jobs' | 'hostAccess'>;
  /** Sends the keys of jobs on a host to its agent. */
  readonly pushKeys: (hostId: string) => void;
  /** The host of a replica, or the id under which its machine is linked. */
  readonly hostOf: (replica: GatewayReplicaRecord) => string;
  /** The address at which clients reach a host; null = it is not known. */
  readonly addressOf: (hostId: string) => Promise<string | null>;
  /** Where its nginx listens, if that is not the same for all gateways. */
  readonly portsOf: (
    replica: GatewayReplicaRecord,
  ) => Promise<{ readonly http: number; readonly https: number } | null>;
  /** The agent of the host as a program on the host reaches it; null = through the server only. */
  readonly agentOn: (hostId: string) => Promise<{ socket: string; token: string } | null>;
  readonly defaults: GivenToGateways;
}

/** Milliseconds. */
type Clock = () => number;

/** Sends a replica of a gateway what it serves, and knows what it has been sent. */
export class GatewaySupply {
  readonly #options: GatewaySupplyOptions;
  readonly #gatewayId: Id;
  readonly #link: Pick<GatewayLink, 'replica' | 'send'>;
  readonly reach: GatewayReach;
  #files: ReadonlySet<string> = new Set();
  /** Jobs that the gateway reaches by itself, and their hosts. */
  readonly #tunnels = new Map<Id, string>();

  constructor(
    options: GatewaySupplyOptions,
    gatewayId: Id,
    link: Pick<GatewayLink, 'replica' | 'send'>,
    now: Clock,
  ) {
    this.#options = options;
    this.#gatewayId = gatewayId;
    this.#link = link;
    this.reach = new GatewayReach(now);
  }

  /** Domains of the certificates that people have set. */
  get files(): ReadonlySet<string> {
    return this.#files;
  }

  /** Whether the gateway sends requests to the job. */
  serves(jobId: Id): boolean {
    return this.reach.servesJob(jobId);
  }

  async sendSettings(): Promise<void> {
    const { store, defaults, addressOf, hostOf, portsOf } = this.#options;
    const view = await store.gateways.byId(this.#gatewayId);
    if (!view) return;
    const { replica } = this.#link;
    const address = await addressOf(hostOf(replica));
    const ports = await portsOf(replica);
    const certificates = await store.gateways.certificates(this.#gatewayId);
    this.#files = new Set(certificates.map(({ domain }) => domain));
    const { directory } = defaults.acme;
    const accountKey = requestsCertificates(view.gateway)
      ? await store.gateways.acmeAccountKey(this.#gatewayId, directory, newAccountKey)
      : null;
    const settings = gatewaySettings(view.gateway, {
      ...{ ...defaults, ...(ports && { httpPort: ports.http, httpsPort: ports.https }) },
      ...{ address, ...placeAmong(view, replica), hasFiles: certificates.length > 0, accountKey },
    });
    const issued = settings.acme ? await store.gateways.issuedCertificates(this.#gatewayId) : null;
    this.#link.send({ type: 'settings', settings, certificates, issued });
  }

  /** All of them: the gateway forgets others. */
  async sendServices(): Promise<void> {
    const { store, agentOn } = this.#options;
    const hostId = this.#hostId;
    const views = await store.services.behindGateway(this.#gatewayId);
    const plain = views.flatMap((view) => gatewayService(view) ?? []);
    const services = await withTunnels(store, plain, hostId);
    this.#tunnels.clear();
    this.#useTunnels(services);
    const models: Record<string, string> = {};
    for (const { host, project } of services) models[modelHost(host)] ??= project;
    this.reach.replace(sentServices(services, views));
    const agent = await agentOn(hostId);
    const hosts = agent === null ? {} : { [hostId]: agent };
    this.#link.send({ type: 'services', services, models, hosts });
  }

  /** The service of one run, or that it has none any more. Null: the run is behind no gateway. */
  async sendRun(runId: Id, found: ServiceView | null): Promise<void> {
    const isHere = found?.run.gatewayId === this.#gatewayId;
    if (!isHere && !this.reach.has(runId)) return;
    const plain = found && isHere ? gatewayService(found) : null;
    const { store } = this.#options;
    const [service = null] = plain ? await withTunnels(store, [plain], this.#hostId) : [];
    if (service) this.#useTunnels([service]);
    const [sent] = found && service ? sentServices([service], [found]) : [];
    if (sent) this.reach.set(sent);
    else this.reach.remove(runId);
    this.#link.send({ type: 'service', run_id: runId, service });
  }

  /** The keys of the gateway have changed, or it was deleted: the agents of its jobs must know. */
  pushKeys(): void {
    this.#push(this.#tunnels.values());
  }

  get #hostId(): string {
    return this.#options.hostOf(this.#link.replica);
  }

  /** The agents of jobs that are new to the gateway must let it in. */
  #useTunnels(services: readonly GatewayService[]): void {
    const replicas = services.flatMap((service) => service.replicas);
    const added = replicas.filter(
      ({ tunnel, job_id }) => tunnel !== null && !this.#tunnels.has(job_id),
    );
    for (const { job_id, host_id } of added) this.#tunnels.set(job_id, host_id);
    this.#push(added.map(({ host_id }) => host_id));
  }

  #push(hostIds: Iterable<string>): void {
    for (const hostId of new Set(hostIds)) this.#options.pushKeys(hostId);
  }
}

/** `gateway.<domain>`, where `host` is `<run>.<domain>`. */
function modelHost(host: string): string {
  return `gateway${host.slice(host.indexOf('.'))}`;
}

/** With the names of their models, which gateways find in the configurations. */
function sentServices(
  services: readonly GatewayService[],
  views: readonly ServiceView[],
): SentService[] {
  const models = new Map(views.map(({ run }) => [run.id, run.serviceSpec?.model?.name ?? null]));
  return services.map(({ run_id, project, host, custom_hosts, custom_paths, replicas }) => ({
    ...{ run_id, project, host, custom_hosts, custom_paths, replicas },
    model: models.get(run_id) ?? null,
  }));
}
