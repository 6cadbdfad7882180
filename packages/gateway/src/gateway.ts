import { randomUUID } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type {
  AccessPages,
  GatewayCommand,
  GatewayFrame,
  GatewayModelUse,
} from '@dstack/contract/agent';
import { errorMessage } from '@dstack/contract/error-message';
import { withTimeout } from '@dstack/contract/with-timeout';
import {
  type KeptCount,
  KeptCounts,
  type Known,
  keptCounts,
  PushedTable,
  SpoolDelivery,
} from '@dstack/proxy';
import { AdmittedCallers } from './admitted-callers.ts';
import { accountProof } from './certificates/acme.ts';
import { acmeSocket, Certificates } from './certificates/certificates.ts';
import { DnsRecords } from './certificates/dns-records.ts';
import { namesToSecure } from './certificates/names-to-secure.ts';
import { boundLog, fullDisk } from './disk.ts';
import { Figures } from './figures.ts';
import { countsFrame, GatewayDesk } from './gateway-desk.ts';
import { LinkServer } from './link-server.ts';
import { createLog } from './log.ts';
import { Nginx, Refused } from './nginx/nginx.ts';
import { plainSocket } from './nginx/plain/plain-configuration.ts';
import { controlOf } from './nginx/plain/plain-control.ts';
import { PlainEngine } from './nginx/plain/plain-engine.ts';
import { learnAddress } from './nginx/plain/replica-addresses.ts';
import { OwnLogs } from './own-logs.ts';
import { dismiss, earlierProgram, isReplaced, recordProgram } from './program-record.ts';
import { pushedRoute, pushedRoutes } from './pushed-route.ts';
import { ServerQuestions } from './server-questions.ts';
import { sharedRates } from './shared-rates.ts';
import { type SentServices, StoredState, withService } from './stored-state.ts';
import { keyForTunnels, type TunnelKey } from './tunnel-key.ts';
import { TunnelRelay } from './tunnel-relay.ts';
import { GATEWAY_USES } from './use-kind.ts';
import { gatewayVersion } from './version.ts';
import { WantedTunnels } from './wanted-tunnels.ts';
import { webUser } from './web-user.ts';
import type { GatewayState } from './worker/gateway-state.ts';
import { type RequestEngine, Workers } from './workers.ts';

export interface GatewayOptions {
  readonly stateDir: string;
  readonly runtime: string;
}

type Settings = Extract<GatewayCommand, { type: 'settings' }>;
type Status = Pick<Extract<GatewayFrame, { type: 'status' }>, 'state' | 'text'>;

/** Time between two checks whether nginx runs. */
const LOOK_MS = 100;
/** A refusal may pass by itself: the holder of a port ends. */
const TRY_AGAIN_MS = 5000;
/** Time between two looks for what workers have kept. */
const DELIVER_MS = 1000;
const FIGURES_MS = 1000;
/** Time between two looks at the disk. */
const DISK_MS = 5000;
/** Bytes of a log, of which there may be two. */
const MAX_LOG = 10_000_000;

/** An engine that is busier is left out of the latest requests, in milliseconds. */
const ACCESS_MS = 500;

/** The main process: everything but requests. */
export class GatewayProgram {
  readonly #options: GatewayOptions;
  readonly #log = createLog('gateway');
  readonly #state: StoredState;
  readonly #nginx: Nginx;
  readonly #certificates: Certificates;
  readonly #records = new DnsRecords((frame) => this.#link.send(frame));
  readonly #link: LinkServer;
  readonly #counts: SpoolDelivery<KeptCount>;
  readonly #logs: OwnLogs;
  readonly #usage: SpoolDelivery<GatewayModelUse>;
  readonly #figures = new Figures((frame) => this.#link.send({ ...frame, sent_at: Date.now() }));
  readonly #table = new PushedTable();
  readonly #desk: GatewayDesk;
  /** nginx, as far as it answers requests itself. */
  readonly #plain: PlainEngine;
  readonly #key: TunnelKey;
  readonly #group: number | null;
  readonly #callers: AdmittedCallers;
  readonly #questions = new ServerQuestions((frame) => this.#link.send(frame));
  readonly #rates = sharedRates({
    questions: this.#questions,
    replicas: () => this.#settings?.settings.replicas ?? 1,
    now: Date.now,
  });
  readonly #tunnels = new WantedTunnels((frame) => this.#link.send(frame));
  #workers: Workers | null = null;
  #settings: Settings | null = null;
  #services: SentServices | null = null;
  #status: Status = { state: 'waiting', text: 'The gateway is being configured' };
  /** Shown while requests are answered all the same. */
  #diskProblem: string | null = null;
  #reported = '';
  /** Why nginx leaves all requests to the workers although it is to answer some; null = it is not so. */
  #notPlain: string | null = null;
  /** The same, as it was reported to the server: once, also over restarts of this program. */
  #reportedNotPlain: string | null;
  #isEnding = false;
  #applying: Promise<void> = Promise.resolve();

  constructor(options: GatewayOptions) {
    this.#options = options;
    const { stateDir, runtime } = options;
    const user = webUser();
    this.#group = user?.group ?? null;
    mkdirSync(runtime, { recursive: true });
    chmodSync(runtime, user === null ? 0o700 : 0o711);
    this.#state = new StoredState(stateDir);
    this.#callers = new AdmittedCallers({
      ...{ state: this.#state, questions: this.#questions },
      notify: (type, data) => this.#workers?.notify(type, data),
      onRefused: () => this.#renewGeneration(),
    });
    this.#reportedNotPlain = this.#state.read('not-plain')?.reported ?? null;
    this.#key = keyForTunnels(stateDir);
    this.#nginx = new Nginx({
      ...{ runtime, user: user?.name ?? null, group: this.#group, log: this.#log },
    });
    const counts = new KeptCounts({
      ...{ dir: this.#countsDir, now: Date.now, log: this.#log },
      link: { isAlone: false, ask: async () => this.#counts.deliver() as never },
    });
    this.#plain = new PlainEngine({
      ...{ control: controlOf(plainSocket(runtime)), services: this.#table, log: this.#log },
      learn: learnAddress,
      reports: {
        count: (counted, wakes) => void counts.add(counted, wakes),
        avoided: (ejected) => this.#desk.avoided(ejected),
        figures: (changed) => this.#figures.put(this.#plain, changed),
      },
      onRestart: () => this.#figures.ended(this.#plain),
    });
    this.#certificates = new Certificates({
      ...{ stateDir, runtime, group: this.#group, log: this.#log },
      setRecord: (...of) => this.#records.set(...of),
      onChange: () => this.#report(),
      onIssued: () => this.#offer(),
    });
    this.#logs = new OwnLogs({
      gateway: join(stateDir, 'gateway.log'),
      nginx: join(runtime, 'nginx-error.log'),
    });
    this.#counts = new SpoolDelivery({
      ...{ dir: this.#countsDir, kind: keptCounts(() => Date.now() * 1000) },
      send: ({ n, batch, items }) => this.#link.send(countsFrame(n, batch, items)),
    });
    this.#usage = new SpoolDelivery({
      ...{ dir: this.#usageDir, kind: GATEWAY_USES },
      send: ({ n, batch, items }) => this.#link.send({ type: 'usage', n, batch, uses: items }),
    });
    this.#desk = new GatewayDesk({
      ...{ questions: this.#questions, callers: this.#callers, services: this.#table },
      ...{ counts: this.#counts, uses: this.#usage, rates: this.#rates },
      ...{ figures: this.#figures, tunnels: this.#tunnels },
      send: (frame) => this.#link.send(frame),
      notify: (type, data) => this.#workers?.notify(type, data),
    });
    this.#link = new LinkServer({
      path: join(runtime, 'link.sock'),
      onOpen: () => this.#connected(),
      onOrder: (order) => this.#onOrder(order),
      onClose: () => this.#disconnected(),
      onRelay: ({ host_id, job_id, port }, { socket, opening }) => {
        const frame = { type: 'tunnel', id: randomUUID(), host_id, job_id, port } as const;
        this.#tunnels.want(new TunnelRelay(socket, opening), frame);
      },
      onTunnel: (id, end) => this.#tunnels.opened(id, end),
      log: this.#log,
    });
  }

  /** Takes over from an earlier process, if there is one. */
  async start(): Promise<void> {
    const { runtime } = this.#options;
    const earlier = earlierProgram(runtime);
    this.#services = this.#state.read('services');
    this.#table.replace(pushedRoutes(this.#services?.services ?? []));
    this.#plain.setHosts(this.#services?.hosts ?? {});
    const stored = this.#state.read('settings');
    if (stored) this.#settings = { type: 'settings', ...stored, issued: null };
    process.on('SIGTERM', () => void this.#end());
    process.on('SIGINT', () => {});
    process.on('SIGHUP', () => {});
    if (this.#settings) await this.#apply();
    recordProgram(runtime);
    await this.#link.listen();
    if (earlier !== null) dismiss(earlier);
    this.#log.info('the gateway has started');
    setInterval(() => this.#deliver(), DELIVER_MS).unref();
    setInterval(() => this.#figures.deliver(), FIGURES_MS).unref();
    setInterval(() => void this.#lookAtDisk(), DISK_MS).unref();
    this.#look();
  }

  get #usageDir(): string {
    return join(this.#options.stateDir, 'usage');
  }

  get #countsDir(): string {
    return join(this.#options.stateDir, 'counts');
  }

  #deliver(): void {
    this.#usage.deliver();
    this.#counts.deliver();
  }

  async #lookAtDisk(): Promise<void> {
    const { stateDir, runtime } = this.#options;
    boundLog(join(stateDir, 'gateway.log'), MAX_LOG);
    boundLog(join(runtime, 'nginx-error.log'), MAX_LOG);
    this.#diskProblem = (await fullDisk(stateDir)) ?? (await fullDisk(runtime));
    this.#report();
  }

  /** Another version takes over, or the gateway is removed: then its file was removed. */
  async #end(): Promise<void> {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#link.close();
    this.#plain.close();
    this.#state.flush();
    if (existsSync(join(this.#options.stateDir, 'gateway.json'))) {
      this.#workers?.leave();
    } else {
      // One that is being started must not outlive this process.
      await this.#applying;
      await this.#nginx.stop();
      this.#workers?.kill();
    }
    process.exit(0);
  }

  async #look(): Promise<void> {
    while (!this.#isEnding) {
      await delay(LOOK_MS);
      // Two of them may have started at the same moment; the one that wrote last stays.
      if (isReplaced(this.#options.runtime)) await this.#end();
      if (this.#settings === null || this.#isEnding) continue;
      if (this.#status.state === 'ready' && this.#nginx.isRunning()) continue;
      await this.#applyInTurn();
      if (this.#status.state !== 'ready') await delay(TRY_AGAIN_MS);
    }
  }

  #applyInTurn(): Promise<void> {
    this.#applying = this.#applying.then(() => this.#apply());
    return this.#applying;
  }

  async #apply(): Promise<void> {
    if (this.#settings === null) return;
    const { settings } = this.#settings;
    try {
      this.#setCertificates();
      await this.#ensureWorkers();
      const isPlain = settings.proxy === 'nginx';
      const { notPlain } = await this.#nginx.ensure(
        {
          httpPort: settings.http_port,
          httpsPort: settings.tls ? settings.https_port : null,
          maxBody: settings.max_body,
          hsts: settings.hsts ?? 0,
          plainTimeoutMs: isPlain ? settings.timeout_ms : null,
          workers: this.#workers?.sockets ?? [],
          acmeProof: settings.acme?.account_key ? accountProof(settings.acme.account_key) : null,
          acmeSocket:
            settings.tls && settings.acme?.challenge === 'tls-alpn-01'
              ? acmeSocket(this.#options.runtime)
              : null,
        },
        { install: settings.install },
      );
      this.#setPlain(isPlain && notPlain === null, notPlain);
      this.#status = { state: 'ready', text: null };
    } catch (error) {
      const state = error instanceof Refused ? 'refused' : 'waiting';
      this.#status = { state, text: errorMessage(error) };
      this.#log.warn({ err: error }, 'the gateway is not ready');
    }
    this.#report();
  }

  #setPlain(isOn: boolean, why: string | null): void {
    if (why !== null && why !== this.#notPlain) {
      this.#log.warn(`workers answer all requests: ${why}`);
    }
    this.#notPlain = why;
    if (why === null && this.#reportedNotPlain !== null) {
      this.#reportedNotPlain = null;
      this.#state.remove('not-plain');
    }
    this.#plain.isOn = isOn;
  }

  /** All that answer requests. */
  get #engines(): RequestEngine[] {
    return [...(this.#workers?.all ?? []), this.#plain];
  }

  /** To all workers. */
  #sendState(state: Partial<GatewayState>): void {
    this.#workers?.notify('state', state);
  }

  /** Makes the facts about callers that nginx has stored invalid. */
  #renewGeneration(): void {
    this.#plain.renewGeneration();
    this.#sendState({ generation: this.#plain.generation });
  }

  #setOnline(online: boolean): void {
    this.#plain.isOnline = online;
    this.#sendState({ online, generation: this.#plain.generation });
  }

  async #ensureWorkers(): Promise<void> {
    const timeoutMs = this.#settings?.settings.timeout_ms ?? 0;
    if (this.#workers?.timeoutMs === timeoutMs) return;
    const before = this.#workers;
    const workers = new Workers({
      ...{ runtime: this.#options.runtime, group: this.#group, timeoutMs, log: this.#log },
      spools: { uses: this.#usageDir, counts: this.#countsDir },
      initial: () => this.#initial(),
      handlers: (worker) => this.#desk.handlers(worker),
      onExit: (worker) => this.#figures.ended(worker),
    });
    this.#workers = workers;
    await workers.start();
    before?.leave();
  }

  #initial(): [string, unknown][] {
    const { services = [], hosts = {}, models = {} } = this.#services ?? {};
    const known: Known = { routes: pushedRoutes(services), grants: [], kept: this.#callers.all };
    const { generation } = this.#plain;
    const state: Partial<GatewayState> = {
      ...{ ...this.#limits, hosts, models, generation, online: this.#link.isOpen },
      tunnelKey: this.#key.privateKey,
    };
    return [
      ['known', known],
      ['state', state],
    ];
  }

  get #limits(): Partial<GatewayState> {
    if (this.#settings === null) return {};
    const { auth_age: authAge, https_port: httpsPort } = this.#settings.settings;
    return { authAge, httpsPort };
  }

  #setCertificates(): void {
    if (this.#settings === null) return;
    const { settings, certificates, issued } = this.#settings;
    const { names, own } = namesToSecure(this.#services, settings.tls);
    const others = { files: certificates, offered: issued ?? [], own };
    this.#certificates.set(names, settings, others);
  }

  #connected(): void {
    this.#reported = '';
    this.#report();
    this.#offer();
    this.#counts.connected();
    this.#usage.connected();
    this.#figures.connected();
    this.#setOnline(true);
  }

  #disconnected(): void {
    this.#setOnline(false);
    this.#records.disconnected();
    this.#questions.disconnected();
    this.#usage.disconnected();
    this.#counts.disconnected();
    this.#tunnels.disconnected();
  }

  /** To the other replicas, which serve the same names. */
  #offer(): void {
    const certificates = this.#certificates.issued;
    if (certificates.length > 0) this.#link.send({ type: 'issued', certificates });
  }

  #report(): void {
    const certificates = this.#certificates.states;
    const frame = {
      ...{ type: 'status', ...this.#status, version: gatewayVersion(), certificates },
      text: this.#status.text ?? this.#diskProblem,
      public_key: this.#key.publicKey,
    };
    const news = this.#newNotPlain;
    const text = JSON.stringify(frame);
    if (text === this.#reported && news === null) return;
    if (!this.#link.send({ ...frame, ...(news !== null && { not_plain: news }) })) return;
    this.#reported = text;
    if (news === null) return;
    this.#reportedNotPlain = news;
    this.#state.write('not-plain', { reported: news });
  }

  /** The reason that was not reported yet; null = there is none. */
  get #newNotPlain(): string | null {
    const why = this.#notPlain?.slice(0, 1000) ?? null;
    return this.#reportedNotPlain === why ? null : why;
  }

  #onOrder(order: GatewayCommand): void {
    switch (order.type) {
      case 'settings': {
        const { settings, certificates } = order;
        this.#settings = order;
        this.#state.write('settings', { settings, certificates: [...certificates] });
        this.#sendState(this.#limits);
        void this.#applyInTurn();
        return;
      }
      case 'services': {
        const { services, hosts, models } = order;
        const routes = pushedRoutes(services);
        this.#services = order;
        this.#table.replace(routes);
        this.#plain.setHosts(hosts);
        this.#sendState({ hosts, models });
        this.#workers?.notify('known', { routes, grants: [] } satisfies Known);
        this.#onServices();
        return;
      }
      case 'service': {
        const route = pushedRoute(order.run_id, order.service);
        if (this.#services) this.#services = withService(this.#services, order);
        this.#table.put(route);
        this.#sendState({ models: this.#services?.models ?? {} });
        this.#workers?.notify('route', route);
        this.#onServices();
        return;
      }
      case 'counted':
        this.#counts.used(order.n);
        return;
      case 'used':
        this.#usage.used(order.n);
        return;
      case 'admitted':
      case 'token':
      case 'because':
      case 'taken':
        this.#questions.answered(order);
        return;
      case 'dns-done':
        this.#records.answered(order.n, order.error);
        return;
      case 'no-tunnel':
        this.#tunnels.refused(order);
        return;
      case 'read-log':
        this.#link.send({ type: 'log', n: order.n, ...this.#logs.read(order) });
        return;
      case 'renew': {
        const domains = this.#certificates.retry(order.domain);
        this.#link.send({ type: 'renewing', n: order.n, domains });
        return;
      }
      case 'access':
        void this.#readAccess(order);
        return;
      case 'leave':
        void this.#leave(order.job_id);
        return;
      case 'access-changed':
        this.#callers.changed();
        this.#workers?.notify('changed', {});
        this.#renewGeneration();
    }
  }

  #onServices(): void {
    if (this.#services) this.#state.write('services', this.#services);
    this.#figures.keepOnly(new Set(this.#services?.services.map(({ run_id }) => run_id)));
    this.#setCertificates();
    this.#report();
    this.#plain.changed();
  }

  /** One that ends meanwhile, or is too busy, is left out. */
  async #readAccess({ n, run_id: runId, after }: Extract<GatewayCommand, { type: 'access' }>) {
    const none = (): AccessPages => [];
    const pages = this.#engines.map((engine) =>
      withTimeout(() => engine.access(runId, after).catch(none), {
        ms: ACCESS_MS,
        onTimeout: none,
      }),
    );
    this.#link.send({ type: 'accessed', n, pages: (await Promise.all(pages)).flat() });
  }

  /** The job has no requests once no engine has any: those of a worker that ends have ended with it. */
  async #leave(jobId: string): Promise<void> {
    await Promise.all(this.#engines.map((engine) => engine.leave(jobId).catch(() => {})));
    this.#link.send({ type: 'idle', job_id: jobId });
  }
}
