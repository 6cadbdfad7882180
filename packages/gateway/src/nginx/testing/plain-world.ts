/** nginx with workers behind it, and apps on addresses of their own behind an agent. */
import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { type IncomingHttpHeaders, type IncomingMessage, request, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import type { GatewayFrame, GatewayService } from '@dstack/contract/agent';
import {
  type BeatLimits,
  type CountedSecond,
  type CountedService,
  controlOf,
  type KeptCount,
  keptCounts,
  learnAddress,
  PlainEngine,
  type PushedRoute,
  PushedTable,
  plainSocket,
  SharedRates,
  SpoolDelivery,
  type TokenMark,
} from '@dstack/proxy';
import { freePort } from '@dstack/testkit';
import { AdmittedCallers } from '../../admitted-callers.ts';
import { GatewayDesk } from '../../gateway-desk.ts';
import { pushedRoute } from '../../pushed-route.ts';
import { startPortAgent } from '../../testing/port-agent.ts';
import { webUser } from '../../web-user.ts';
import { Workers } from '../../workers.ts';
import { Nginx } from '../nginx.ts';

export interface Replica {
  readonly job: string;
  readonly name: string;
  readonly address: string;
}

export interface App extends Replica {
  readonly process: ChildProcess;
}

const PORT = 8123;
const log = { debug() {}, info() {}, warn() {}, error: console.error } as never;

export class PlainWorld {
  readonly runtime = mkdtempSync(join(tmpdir(), 'dstack-plain-'));
  readonly services = new PushedTable();
  /** The figures that were reported of services, by who has reported them. */
  readonly figures = new Map<object, Map<string, CountedService>>();
  /** Requests that were counted for scaling. */
  demand = 0;
  /** Names of users by the header of their requests. */
  readonly callers = new Map<string, string>([['Bearer known-caller', 'ann']]);
  asked = 0;
  tokenMarks: readonly TokenMark[] = [];
  url = '';
  nginx!: Nginx;
  workers!: Workers;
  engine!: PlainEngine;
  #callers!: AdmittedCallers;
  #counts!: SpoolDelivery<KeptCount>;
  #agent!: Server;
  readonly #replicas: Replica[] = [];
  readonly #processes: ChildProcess[] = [];
  /** By run; a worker that is started again has to know them. */
  readonly #served = new Map<string, PushedRoute>();
  #wanted!: Parameters<Nginx['ensure']>[0];

  /** `beats`: when a worker stands still. */
  async start({ beats }: { readonly beats?: BeatLimits } = {}): Promise<this> {
    const user = webUser();
    const { runtime } = this;
    chmodSync(runtime, 0o711);
    mkdirSync(join(runtime, 'usage'));
    this.#agent = await startPortAgent(join(runtime, 'agent.sock'), (job) => this.#addressOf(job));
    this.#counts = new SpoolDelivery({
      ...{ dir: join(runtime, 'counts'), kind: keptCounts(() => Date.now() * 1000) },
      send: ({ n, items }) => {
        this.#demanded(items);
        setImmediate(() => this.#counts.used(n));
        return true;
      },
    });
    const desk = this.#desk();
    this.engine = new PlainEngine({
      ...{ control: controlOf(plainSocket(runtime)), services: this.services, log },
      learn: learnAddress,
      tokenMarks: () => this.tokenMarks,
      reports: {
        count: (counts) => this.#demanded(counts),
        avoided: (ejected) => desk.avoided(ejected),
        figures: (changed) => this.#counted(this.engine, changed),
      },
      onRestart: () => {},
    });
    this.engine.setHosts(this.#hosts);
    this.workers = new Workers({
      ...{ runtime, group: user?.group ?? null, timeoutMs: 60_000, log },
      spools: { uses: join(runtime, 'usage'), counts: join(runtime, 'counts') },
      initial: () => {
        const { generation } = this.engine;
        return [
          ['known', { routes: [...this.#served.values()], grants: [] }],
          ['state', { hosts: this.#hosts, online: true, generation, tokenMarks: this.tokenMarks }],
        ];
      },
      handlers: (worker) => desk.handlers(worker),
      onExit: () => {},
      ...(beats && { beats }),
    });
    await this.workers.start();
    this.nginx = new Nginx({ runtime, user: user?.name ?? null, group: user?.group ?? null, log });
    const httpPort = await freePort();
    this.#wanted = {
      ...{ httpPort, httpsPort: null, maxBody: 0, hsts: 0, workers: this.workers.sockets },
      ...{ acmeProof: null, acmeSocket: null, plainTimeoutMs: 60_000 },
    };
    await this.ensure();
    this.engine.isOn = true;
    this.engine.isOnline = true;
    this.#sendGeneration();
    this.url = `http://127.0.0.1:${httpPort}`;
    return this;
  }

  /** `changes`: of its configuration. */
  async ensure(changes: Partial<Parameters<Nginx['ensure']>[0]> = {}): Promise<void> {
    const wanted = { ...this.#wanted, ...changes };
    const { notPlain } = await this.nginx.ensure(wanted, { install: false });
    if (notPlain !== null) throw new Error(notPlain);
  }

  async stop(): Promise<void> {
    this.engine?.close();
    await this.nginx?.stop();
    this.workers?.kill();
    this.#agent?.close();
    this.#agent?.closeAllConnections();
    for (const process of this.#processes) process.kill('SIGKILL');
    rmSync(this.runtime, { recursive: true, force: true });
  }

  async app(name: string): Promise<App> {
    const address = this.#freeAddress();
    const process = fork(join(import.meta.dirname, 'plain-app.ts'), [name, address, String(PORT)]);
    await once(process, 'message');
    this.#processes.push(process);
    return { ...this.#replica(name, address), process };
  }

  /** An app of this process. */
  async appHere(name: string, server: Server): Promise<Replica> {
    const address = this.#freeAddress();
    server.listen(PORT, address);
    await once(server, 'listening');
    return this.#replica(name, address);
  }

  #replica(name: string, address: string): Replica {
    const replica = { job: randomUUID(), name, address };
    this.#replicas.push(replica);
    return replica;
  }

  #freeAddress(): string {
    return `127.77.${this.#replicas.length + 1}.${1 + Math.floor(Math.random() * 250)}`;
  }

  /** Returns the id of the run. */
  serve(
    host: string,
    apps: readonly Replica[],
    { run = randomUUID(), ...more }: Record<string, unknown> = {},
  ): string {
    const route = pushedRoute(String(run), serviceOf(String(run), host, apps, more));
    this.services.put(route);
    this.#served.set(route.runId, route);
    this.engine.changed();
    this.workers.notify('route', route);
    return String(run);
  }

  /** The access of a caller may have changed. */
  accessChanged(): void {
    this.#callers.changed();
    this.workers.notify('changed', {});
    this.engine.renewGeneration();
    this.#sendGeneration();
  }

  #sendGeneration(): void {
    this.workers.notify('state', { generation: this.engine.generation });
  }

  async ask(host: string, path = '/', init: AskOptions = {}): Promise<Answer> {
    const { method = 'GET', headers, body = '' } = init;
    // A path that is part of a URL would lose what follows a `#`.
    const sent = request(this.url, { method, path, headers: { host, ...headers } });
    sent.end(body);
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    return {
      ...{ status: answer.statusCode ?? 0, headers: answer.headers },
      body: await text(answer),
    };
  }

  /** Asks until nginx answers this by itself. */
  async untilPlain(host: string, init: AskOptions = {}): Promise<void> {
    for (;;) {
      const { headers } = await this.ask(host, '/', init);
      if (!String(headers['x-request-id']).includes('-')) return;
      await delay(50);
    }
  }

  /** Requests one after another in four loops. */
  load(host: string, init: AskOptions = {}) {
    const failed: unknown[] = [];
    let answered = 0;
    let isOver = false;
    const loops = Array.from({ length: 4 }, async () => {
      while (!isOver) {
        const status = await this.ask(host, '/', init).then(
          (answer) => answer.status,
          (error: Error) => error.message,
        );
        if (status === 200) answered += 1;
        else failed.push(status);
      }
    });
    return {
      more: async (count: number) => {
        for (const wanted = answered + count; answered < wanted; ) await delay(5);
      },
      end: async () => {
        isOver = true;
        await Promise.all(loops);
        return { answered, failed };
      },
    };
  }

  /** Requests that nginx has answered itself and reported. */
  get plainRequests(): number {
    return answeredBy(this.figures.get(this.engine));
  }

  /** The same of all processes. */
  get allRequests(): number {
    return [...this.figures.values()].reduce((sum, one) => sum + answeredBy(one), 0);
  }

  get #hosts() {
    return { host: { socket: join(this.runtime, 'agent.sock'), token: 'x' } };
  }

  #addressOf(job: string): string | null {
    return this.#replicas.find((app) => app.job === job)?.address ?? null;
  }

  #desk(): GatewayDesk {
    const questions = { ask: (asked: object) => this.#answer(asked as GatewayFrame) } as never;
    this.#callers = new AdmittedCallers({
      ...{ questions, state: { read: () => null, write() {} } },
      notify: (type, data) => this.workers.notify(type, data),
      onRefused: () => {
        this.engine.renewGeneration();
        this.#sendGeneration();
      },
    });
    return new GatewayDesk({
      rates: new SharedRates({ ask: async () => null, processes: () => 1, now: Date.now }),
      ...{ questions, callers: this.#callers, services: this.services },
      counts: this.#counts,
      uses: { deliverAll: async () => {} },
      figures: { put: (worker, changed) => this.#counted(worker, changed) },
      tunnels: { want() {} },
      send: () => true,
      notify() {},
    });
  }

  async #answer(asked: GatewayFrame): Promise<object> {
    if (asked.type === 'is-token') return { own: false };
    if (asked.type === 'why') return { status: 503, detail: 'no replica', retry: 1 };
    if (asked.type !== 'admit') throw new Error(asked.type);
    this.asked += 1;
    const user = this.callers.get(asked.authorization) ?? null;
    const refusal = user === null ? { status: 403, detail: 'no' } : { status: 200, detail: '' };
    return { services: null, user, ...refusal };
  }

  #demanded(counts: readonly CountedSecond[]): void {
    for (const { requests } of counts) this.demand += requests;
  }

  #counted(worker: object, changed: readonly CountedService[]): void {
    const known = this.figures.get(worker) ?? new Map<string, CountedService>();
    for (const one of changed) known.set(one.runId, one);
    this.figures.set(worker, known);
  }
}

interface AskOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

function answeredBy(services: ReadonlyMap<string, CountedService> | undefined): number {
  const counts = [...(services?.values() ?? [])].flatMap(({ raw }) => Object.values(raw.answered));
  return counts.reduce((sum, count) => sum + count, 0);
}

function serviceOf(
  run: string,
  host: string,
  apps: readonly Replica[],
  more: Readonly<Record<string, unknown>>,
): GatewayService {
  const configuration = {
    ...{ type: 'service', auth: false, strip_prefix: true, replicas: null, scaling: null },
    ...{ autoscaling: null, rate_limits: [], held_requests: null, groups: null, affinity: null },
    ...{ model: null, ...more },
  };
  return {
    ...{ run_id: run, project: 'main', run: host.split('.')[0] ?? host, host, https: false },
    ...{ custom_hosts: null, custom_paths: null, configuration: JSON.stringify(configuration) },
    replicas: apps.map(({ job }) => ({
      ...{ job_id: job, host_id: 'host', port: PORT, running_at: 0, failing: false, tunnel: null },
    })),
  };
}
