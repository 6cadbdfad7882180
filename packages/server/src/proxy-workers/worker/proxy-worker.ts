import type { Granted, ServerLink } from '@dstack/proxy';
import {
  accessLog,
  Intake,
  OwnTokens,
  openReplica,
  ServiceOrigins,
  ServiceProxy,
  serviceUsage,
  TemplateRenderer,
  trustIn,
  WorkerAdmission,
} from '@dstack/proxy';
import { assets } from '../../assets.ts';
import { systemNow } from '../../clock/system-clock.ts';
import { isLocalHost } from '../../hosts/local-agent.ts';
import { callerAddress } from '../../http/caller-address.ts';
import { connectionRules } from '../../http/intake/open-connections.ts';
import type { ProxyRouteDeps } from '../../http/proxy/routes.ts';
import { Shutdown } from '../../http/shutdown.ts';
import type { Logger } from '../../process/logging.ts';
import type { PushedRoute, Sync, WorkerConfig } from '../protocol.ts';
import { DataHosts } from './data-hosts.ts';
import { PassToServer } from './pass-to-server.ts';
import { PushedServices } from './pushed-services.ts';
import { type WorkerHttp, workerHttp } from './worker-http.ts';
import { workerLog } from './worker-log.ts';
import { WorkerUsage } from './worker-usage.ts';

/** Without a server a caller is admitted this long (ms) after the server has confirmed the access. */
const MAX_AGE_MS = 600_000;

/** Everything in a worker that answers requests. */
export class ProxyWorker {
  readonly shutdown = new Shutdown();
  readonly proxy: ServiceProxy;
  readonly log: Logger;
  readonly #services: PushedServices;
  readonly #hosts: DataHosts;
  readonly #admission: WorkerAdmission;
  readonly #usage: WorkerUsage;
  readonly #config: WorkerConfig;
  readonly #templates: TemplateRenderer;

  /** `spool`: the folder for what models have used. */
  constructor(link: ServerLink, config: WorkerConfig, spool: string) {
    this.#config = config;
    this.log = workerLog(link, config.logLevel);
    this.#hosts = new DataHosts(config.serverSocket);
    this.#services = new PushedServices(link, (hosts) => this.#hosts.put(hosts));
    this.#usage = new WorkerUsage(link, spool, this.log);
    this.#admission = new WorkerAdmission({
      ...{ link, addressOf: callerAddress(config.trustedProxies) },
      maxAgeMs: () => MAX_AGE_MS,
      now: () => systemNow() / 1000,
    });
    this.#templates = new TemplateRenderer({ program: assets.templateProgram });
    this.proxy = new ServiceProxy({
      services: this.#services,
      readOutage: (project, run) => link.ask('outage', { project, run }),
      open: openReplica({ client: (hostId) => this.#hosts.client(hostId), isHere: isLocalHost }),
      admit: this.#admission.admit,
      ownTokens: new OwnTokens({
        isToken: (text) => link.ask('isToken', { text }),
        settings: config.ownTokens,
        now: () => performance.now(),
        log: this.log,
      }),
      trust: trustIn(config.trustedProxies),
      timeoutMs: config.timeoutMs,
      maxBody: config.maxBody,
      maxHeld: config.maxHeld,
      processes: config.processes,
      onEnded: accessLog(config.accessLogPart, this.log),
      onEjected: (ejected) => link.notify('avoided', ejected),
      onModelUse: serviceUsage({ modelUsage: this.#usage, now: systemNow, log: this.log }),
      ...(config.countsRatesInServer && { takeRate: this.#services.takeSharedRate }),
      shared: false,
      now: systemNow,
      log: this.log,
    });
  }

  /** Does not listen yet. */
  http(): Promise<WorkerHttp> {
    const { modelBodies, intake, serverSocket, origins, trustedProxies, connections } =
      this.#config;
    const trust = trustIn(trustedProxies);
    const deps: Omit<ProxyRouteDeps, 'direct'> = {
      services: this.proxy,
      origins: origins && new ServiceOrigins({ ...origins, trust, services: this.#services }),
      ownPaths: null,
      admitModelUser: ({ endpoint, project, request }, onRevoked) =>
        this.#admission.admitModelUser(project, endpoint.method, request, onRevoked),
      intake: new Intake(intake),
      modelBodies,
      chatTemplates: this.#templates,
      log: this.log,
      models: this.#services,
      modelUsage: this.#usage,
      now: systemNow,
      shutdown: this.shutdown,
      connections: connectionRules(connections, trust),
    };
    return workerHttp(deps, new PassToServer(serverSocket, this.shutdown));
  }

  /** Replaces all services. */
  sync({ routes, grants }: Sync): void {
    const present = new Set(routes.map(({ runId }) => runId));
    for (const runId of this.#services.runIds) {
      if (!present.has(runId)) this.#put({ runId, service: null, hosts: {} });
    }
    for (const route of routes) this.#put(route);
    this.#hosts.keepOnly(this.#services.hostIds);
    for (const grant of grants) this.#admission.put(grant);
  }

  route(route: PushedRoute): void {
    this.#put(route);
    this.#hosts.keepOnly(this.#services.hostIds);
  }

  granted(grant: Granted): void {
    this.#admission.put(grant);
  }

  stale(key: string): void {
    this.#admission.stale(key);
  }

  revoked(key: string): void {
    this.#admission.revoke(key);
  }

  sweep(): void {
    this.#usage.sweep();
  }

  /** Sends no more requests to the job; resolves when it answers none. */
  leave(jobId: string): Promise<void> {
    return new Promise((resolve) => {
      const whenIdle = () => {
        if (this.proxy.leave(jobId, () => {})) resolve();
      };
      if (this.proxy.leave(jobId, whenIdle)) resolve();
    });
  }

  #put(route: PushedRoute): void {
    this.#hosts.put(route.hosts);
    this.#services.put(route);
    this.proxy.changed(route.runId);
  }

  async close(): Promise<void> {
    await this.proxy.close();
    await this.#templates.close();
    this.#hosts.close();
  }
}
