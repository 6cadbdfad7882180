import type { Handlers, PushedRoute, ServerLink, ServiceWorkerOptions } from '@dstack/proxy';
import {
  accessLog,
  Intake,
  openReplica,
  ServiceOrigins,
  ServiceWorker,
  TemplateRenderer,
  trustIn,
} from '@dstack/proxy';
import { callerAddress } from '../../callers/caller-address.ts';
import { systemNow } from '../../clock/system-clock.ts';
import { isLocalHost } from '../../hosts/local-agent.ts';
import { connectionRules } from '../../http/intake/open-connections.ts';
import type { ProxyRouteDeps } from '../../http/proxy/routes.ts';
import { Shutdown } from '../../http/shutdown.ts';
import { assets } from '../../process/assets.ts';
import type { Logger } from '../../process/logging.ts';
import { limitOfProcess } from '../../process/open-files.ts';
import type { PushedHost, Sync, WorkerConfig } from '../protocol.ts';
import { DataHosts } from './data-hosts.ts';
import { PassToServer } from './pass-to-server.ts';
import { type WorkerHttp, workerHttp } from './worker-http.ts';
import { workerLog } from './worker-log.ts';

/** Without a server a caller is admitted this long (ms) after the server has confirmed the access. */
const MAX_AGE_MS = 600_000;

/** A worker of the server: its front is the API's HTTP, on a socket that it has inherited. */
export class ProxyWorker {
  readonly shutdown = new Shutdown();
  readonly worker: ServiceWorker;
  readonly log: Logger;
  readonly #hosts: DataHosts;
  readonly #config: WorkerConfig;
  readonly #templates: TemplateRenderer;
  #generation: string | null = null;

  constructor(link: ServerLink, config: WorkerConfig, spools: ServiceWorkerOptions['spools']) {
    this.#config = config;
    this.log = workerLog(link, config.logLevel);
    const hosts = new DataHosts(config.serverSocket);
    this.#hosts = hosts;
    this.#templates = new TemplateRenderer({ program: assets.templateProgram });
    this.worker = new ServiceWorker({
      ...{ link, spools, log: this.log, now: systemNow, shared: false },
      addressOf: callerAddress(config.trustedProxies),
      maxAgeMs: () => MAX_AGE_MS,
      open: openReplica({ client: (hostId) => hosts.client(hostId), isHere: isLocalHost }),
      onHosts: (more) => hosts.put(more as PushedRoute<PushedHost>['hosts']),
      onServices: () => hosts.keepOnly(this.worker.services.table.hostIds),
      tokens: config.ownTokens,
      trust: trustIn(config.trustedProxies),
      timeoutMs: config.timeoutMs,
      maxBody: config.maxBody,
      maxHeld: config.maxHeld,
      processes: config.processes,
      onEnded: accessLog(config.accessLogPart, this.log),
      sharesRates: config.countsRatesInServer,
    });
  }

  /** See `ServiceWorker.handlers`. */
  get handlers(): Handlers {
    return {
      ...this.worker.handlers,
      generation: ({ generation }: Pick<Sync, 'generation'>) => {
        this.#generation = generation;
      },
    };
  }

  /** See `ServiceWorker.take`. */
  take(sync: Sync): void {
    this.worker.take(sync);
    this.#generation = sync.generation;
  }

  /** Does not listen yet. */
  http(): Promise<WorkerHttp> {
    const { modelBodies, intake, serverSocket, origins, trustedProxies, connections } =
      this.#config;
    const { proxy, services, admission, usage } = this.worker;
    const trust = trustIn(trustedProxies);
    const deps: Omit<ProxyRouteDeps, 'direct'> = {
      services: proxy,
      origins: origins && new ServiceOrigins({ ...origins, trust, services }),
      ownPaths: null,
      admitModelUser: ({ endpoint, project, request }, onRevoked) =>
        admission.admitModelUser(project, endpoint.method, request, onRevoked),
      intake: new Intake(intake),
      modelBodies,
      chatTemplates: this.#templates,
      log: this.log,
      models: services,
      modelUsage: usage,
      generation: () => this.#generation,
      now: systemNow,
      shutdown: this.shutdown,
      connections: connectionRules({ idle: connections, files: limitOfProcess(), isProxy: trust }),
    };
    return workerHttp(deps, new PassToServer(serverSocket, this.shutdown));
  }

  async close(): Promise<void> {
    await this.worker.proxy.close();
    await this.#templates.close();
    this.#hosts.close();
  }
}
