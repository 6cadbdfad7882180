import { randomUUID } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { GatewayCommand, GatewayFrame, GatewayModelUse } from '@dstack/contract/agent';
import { errorMessage } from '@dstack/contract/error-message';
import { type KeptGrant, RateBuckets, UseDelivery } from '@dstack/proxy';
import { AccessQuestions } from './access-questions.ts';
import { accountProof } from './certificates/acme.ts';
import { acmeSocket, Certificates } from './certificates/certificates.ts';
import { DnsRecords } from './certificates/dns-records.ts';
import { namesToSecure } from './certificates/names-to-secure.ts';
import { CountSpool } from './count-spool.ts';
import { boundLog, fullDisk } from './disk.ts';
import { Figures } from './figures.ts';
import { LinkServer } from './link-server.ts';
import { createLog } from './log.ts';
import { Nginx, Refused } from './nginx/nginx.ts';
import { plainSocket } from './nginx/plain/plain-configuration.ts';
import { controlOf } from './nginx/plain/plain-control.ts';
import { PlainEngine } from './nginx/plain/plain-engine.ts';
import { learnAddress } from './nginx/plain/replica-addresses.ts';
import { OwnLogs } from './own-logs.ts';
import { dismiss, earlierProgram, isReplaced, recordProgram } from './program-record.ts';
import { ServerQuestions } from './server-questions.ts';
import { type SentServices, StoredState, withService } from './stored-state.ts';
import { keyForTunnels, type TunnelKey } from './tunnel-key.ts';
import { TunnelRelay } from './tunnel-relay.ts';
import { GATEWAY_USES } from './use-kind.ts';
import { gatewayVersion } from './version.ts';
import { WantedTunnels } from './wanted-tunnels.ts';
import { webUser } from './web-user.ts';
import type { FromWorker, ToWorker } from './worker/messages.ts';
import { HostedServices } from './worker/services.ts';
import { type Worker, Workers } from './workers.ts';

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
/** Time between two looks for new uses of models. */
const USAGE_MS = 1000;
const FIGURES_MS = 1000;
/** Time between two looks at the disk. */
const DISK_MS = 5000;
/** Bytes of a log, of which there may be two. */
const MAX_LOG = 10_000_000;

const MOST_CALLERS = 10_000;

/** The main process: everything but requests. */
export class GatewayProgram {
  readonly #options: GatewayOptions;
  readonly #log = createLog('gateway');
  readonly #state: StoredState;
  readonly #nginx: Nginx;
  readonly #certificates: Certificates;
  readonly #records = new DnsRecords((frame) => this.#link.send(frame));
  readonly #link: LinkServer;
  readonly #counts: CountSpool;
  readonly #logs: OwnLogs;
  readonly #usage: UseDelivery<GatewayModelUse>;
  readonly #figures = new Figures<Worker>((frame) => this.#link.send(frame));
  readonly #access = new AccessQuestions<Worker>((frame) => this.#link.send(frame));
  readonly #buckets = new RateBuckets(Date.now);
  readonly #hosted = new HostedServices();
  /** nginx, as far as it answers requests itself. */
  readonly #plain: PlainEngine;
  readonly #key: TunnelKey;
  readonly #group: number | null;
  /** Callers whom the server has admitted, also while it is away and after a restart. */
  readonly #callers = new Map<string, KeptGrant>();
  readonly #questions = new ServerQuestions((frame) => this.#link.send(frame));
  readonly #tunnels = new WantedTunnels((frame) => this.#link.send(frame));
  readonly #leaving = new Map<string, Set<Worker>>();
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
    for (const one of this.#state.read('callers') ?? []) {
      if ('caller' in one) this.#callers.set(one.key, one);
    }
    this.#reportedNotPlain = this.#state.read('not-plain')?.reported ?? null;
    this.#key = keyForTunnels(stateDir);
    this.#nginx = new Nginx({
      ...{ runtime, user: user?.name ?? null, group: this.#group, log: this.#log },
    });
    this.#plain = new PlainEngine({
      ...{ control: controlOf(plainSocket(runtime)), services: this.#hosted, log: this.#log },
      learn: learnAddress,
      onMessage: (worker, message) => this.#onMessage(worker, message),
      onRestart: (worker) => this.#figures.ended(worker),
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
    this.#counts = new CountSpool(this.#state, (frame) => this.#link.send(frame));
    this.#usage = new UseDelivery({
      ...{ dir: this.#usageDir, kind: GATEWAY_USES },
      send: (batch) => this.#link.send({ type: 'usage', ...batch }),
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
    this.#hosted.replace(this.#services?.services ?? []);
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
    setInterval(() => this.#usage.deliver(), USAGE_MS).unref();
    setInterval(() => this.#figures.deliver(), FIGURES_MS).unref();
    setInterval(() => void this.#lookAtDisk(), DISK_MS).unref();
    this.#look();
  }

  get #usageDir(): string {
    return join(this.#options.stateDir, 'usage');
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
    this.#counts.store();
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
  get #answering(): Worker[] {
    const workers = this.#workers?.all ?? [];
    return this.#plain.isOn ? [...workers, this.#plain] : workers;
  }

  #sendAll(message: ToWorker): void {
    const before = this.#plain.generation;
    this.#workers?.sendAll(message);
    this.#plain.send(message);
    if (this.#plain.generation !== before) this.#sendGeneration();
  }

  #sendGeneration(): void {
    this.#workers?.sendAll({ type: 'generation', generation: this.#plain.generation });
  }

  async #ensureWorkers(): Promise<void> {
    const timeoutMs = this.#settings?.settings.timeout_ms ?? 0;
    if (this.#workers?.timeoutMs === timeoutMs) return;
    const before = this.#workers;
    const workers = new Workers({
      ...{ runtime: this.#options.runtime, group: this.#group, timeoutMs, log: this.#log },
      usageDir: this.#usageDir,
      initial: () => this.#initial(),
      onMessage: (worker, message) => this.#onMessage(worker, message),
      // Its requests have ended with it.
      onExit: (worker) => {
        this.#figures.ended(worker);
        this.#access.ended(worker);
        for (const jobId of [...this.#leaving.keys()]) this.#idle(worker, jobId);
      },
    });
    this.#workers = workers;
    await workers.start();
    before?.leave();
  }

  #initial(): ToWorker[] {
    return [
      { type: 'tunnel-key', key: this.#key.privateKey },
      ...(this.#settings ? [this.#settings] : []),
      ...(this.#services ? [this.#services] : []),
      { type: 'cached', entries: [...this.#callers.values()] },
      { type: 'online', online: this.#link.isOpen },
      { type: 'generation', generation: this.#plain.generation },
    ];
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
    this.#sendAll({ type: 'online', online: true });
  }

  #disconnected(): void {
    this.#sendAll({ type: 'online', online: false });
    this.#records.disconnected();
    this.#questions.disconnected();
    this.#usage.disconnected();
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
        void this.#applyInTurn();
        break;
      }
      case 'services':
        this.#services = order;
        this.#hosted.replace(order.services);
        this.#plain.setHosts(order.hosts);
        break;
      case 'service':
        if (this.#services) this.#services = withService(this.#services, order);
        this.#hosted.set(order.run_id, order.service);
        break;
      case 'counted':
        this.#counts.counted(order);
        return;
      case 'used':
        this.#usage.used(order.n);
        return;
      case 'admitted':
      case 'token':
      case 'because':
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
        this.#access.ask(order, this.#answering);
        return;
      case 'leave':
        this.#leaving.set(order.job_id, new Set([...(this.#workers?.all ?? []), this.#plain]));
        break;
      case 'access-changed':
        this.#callers.clear();
        this.#state.write('callers', []);
        break;
    }
    if (order.type === 'services' || order.type === 'service') {
      if (this.#services) this.#state.write('services', this.#services);
      this.#figures.keepOnly(new Set(this.#services?.services.map(({ run_id }) => run_id)));
      this.#setCertificates();
      this.#report();
      this.#plain.changed();
    }
    this.#sendAll(order);
  }

  #onMessage(worker: Worker, message: FromWorker): void {
    switch (message.type) {
      case 'take': {
        const wait = this.#buckets.take(message.key, message.rate, message.service);
        worker.send({ type: 'taken', n: message.n, wait: Number(wait) });
        return;
      }
      case 'requests':
        this.#counts.add(message.counts, message.waiting);
        return;
      case 'caller':
        if (this.#callers.size >= MOST_CALLERS) this.#callers.clear();
        this.#callers.set(message.entry.key, message.entry);
        this.#state.write('callers', [...this.#callers.values()]);
        // A caller is known to the gateway, whichever worker has asked the server.
        for (const other of this.#workers?.all ?? []) {
          if (other !== worker) other.send({ type: 'cached', entries: [message.entry] });
        }
        return;
      case 'caller-refused':
        this.#onRefused(worker, message.key);
        return;
      case 'deliver':
        void this.#usage.deliverAll(message.files).then(() => {
          this.#workers?.sendAll({ type: 'tokens-used', tokens: message.tokens });
          worker.send({ type: 'delivered', n: message.n });
        });
        return;
      case 'load':
        this.#link.send({ ...message, sent_at: Date.now() });
        return;
      case 'avoided':
        this.#link.send(message);
        return;
      case 'figures':
        this.#figures.put(worker, message.services);
        return;
      case 'access-pages':
        this.#access.answered(worker, message);
        return;
      case 'idle':
        this.#idle(worker, message.job_id);
        return;
      case 'tunnel':
        this.#tunnels.want(worker, message);
        return;
      case 'admit':
      case 'is-token':
      case 'why':
        this.#questions.ask(worker, message);
    }
  }

  /** A confirmation that crossed a change of the access must not outlive it. */
  #onRefused(worker: Worker, key: string): void {
    // Most are strangers, whom no other worker knows.
    if (!this.#callers.delete(key)) return;
    this.#state.write('callers', [...this.#callers.values()]);
    for (const other of this.#workers?.all ?? []) {
      if (other !== worker) other.send({ type: 'caller-refused', key });
    }
    this.#plain.send({ type: 'caller-refused', key });
    this.#sendGeneration();
  }

  /** The job has no requests once no worker has any. */
  #idle(worker: Worker, jobId: string): void {
    const waiting = this.#leaving.get(jobId);
    waiting?.delete(worker);
    if (waiting && waiting.size > 0) return;
    this.#leaving.delete(jobId);
    this.#link.send({ type: 'idle', job_id: jobId });
  }
}
