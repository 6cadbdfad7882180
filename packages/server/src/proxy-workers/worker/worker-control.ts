/** The life of a worker: servers come and go, and it ends once it has no use. */
import { rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { type Handlers, LineChannel, markNginx, ServerLink } from '@dstack/proxy';
import { systemClock } from '../../clock/system-clock.ts';
import { removeEmptySocketFolder } from '../../hosts/socket-folder.ts';
import { endHttp } from '../../http/shutdown.ts';
import type { Hello, Spawn, Sync, Synced } from '../protocol.ts';
import { WORKER_PROTOCOL } from '../protocol.ts';
import { listenerFds, spawnTaker } from '../spawn-worker.ts';
import {
  deleteRecord,
  spoolPaths,
  startTimeOf,
  type WorkerRecord,
  writeRecord,
} from '../worker-records.ts';
import { ProxyWorker } from './proxy-worker.ts';
import { followServer } from './server-time.ts';
import { WorkerConnections } from './worker-connections.ts';
import type { WorkerHttp } from './worker-http.ts';

export interface WorkerOptions extends Omit<WorkerRecord, 'pid' | 'startTime'> {
  /** Folder of the records. */
  readonly dir: string;
}

interface Running {
  readonly own: ProxyWorker;
  readonly http: WorkerHttp;
  readonly lingerMs: number;
}

/** How often it is checked whether the worker is still needed, and figures are sent. */
const TICK_MS = 1000;

/** A worker reads the time at the interval at which the server reads the time of its database. */
const TIME_MS = 3000;

/** A worker whose server has ended before it was ready. */
const UNUSED_MS = 10_000;

/** A connection to a replaced worker on which nothing came for so long is closed. */
const IDLE_MS = 5000;

/** Streams of a replaced worker may take this long. */
const DRAIN_MS = 3_600_000;

/** Time limit of streams after SIGTERM. */
const TERMINATE_MS = 25_000;

export class WorkerControl {
  readonly #options: WorkerOptions;
  readonly #link = new ServerLink();
  readonly #record: WorkerRecord;
  #running: Promise<Running> | null = null;
  readonly #connections: WorkerConnections;
  #drainingSince: number | null = null;
  #isEnding = false;

  constructor(options: WorkerOptions) {
    this.#options = options;
    const { id, socket, address, build } = options;
    const own = { pid: process.pid, startTime: startTimeOf('self') };
    this.#record = { id, socket, address, build, ...own };
    this.#connections = new WorkerConnections({
      ...{ fds: listenerFds(), led: process },
      onAccepting: () => void this.#link.notify('accepting', {}),
    });
  }

  start(): void {
    const { dir, socket } = this.#options;
    rmSync(socket, { force: true });
    const control = createServer((connection) => this.#attach(connection));
    control.listen(socket, () => writeRecord(dir, this.#record));
    setInterval(() => void this.#tick(), TICK_MS);
    setInterval(() => void followServer(systemClock, this.#link), TIME_MS);
    process.on('SIGTERM', () => void this.#end(TERMINATE_MS));
    // A terminal that closes does not end services.
    process.on('SIGHUP', () => {});
    process.on('SIGINT', () => {});
  }

  #attach(connection: Socket): void {
    const channel: LineChannel = new LineChannel(connection, {
      ...this.#ofServices,
      sync: (sync: Sync) => this.#sync(sync, channel),
      spawn: (spawn: Spawn) => this.#spawn(spawn),
      accept: () => this.#connections.accept(),
      drain: () => this.#drain(),
      end: ({ limitMs, delayMs }) => this.#end(limitMs, delayMs),
    });
    void channel.closed.then(() => this.#isEnding && void this.#exit());
    const { id, pid, address, build } = this.#record;
    const isDraining = this.#drainingSince !== null || this.#isEnding;
    channel.notify('hello', {
      ...{ protocol: WORKER_PROTOCOL, build, id, pid, address, isDraining },
    } satisfies Hello);
  }

  /** The messages about services, which it takes once it runs. */
  get #ofServices(): Handlers {
    const types = ['route', 'granted', 'stale', 'revoked', 'generation', 'used', 'access', 'leave'];
    return Object.fromEntries(
      types.map((type) => [
        type,
        (data: unknown) => this.#use(({ own }) => own.handlers[type]?.(data)),
      ]),
    );
  }

  /** Returns the process id; null = it could not be started. */
  #spawn(spawn: Spawn): number | null {
    const child = spawnTaker(spawn);
    if (child.pid === undefined) return null;
    this.#connections.share(child);
    return child.pid;
  }

  async #sync(sync: Sync, channel: LineChannel): Promise<Synced> {
    const before = this.#running;
    // At once: changes of services that follow this message wait for it, and must not be lost or overwritten.
    this.#running ??= this.#run(sync, channel);
    const { own } = await this.#running;
    if (before) {
      own.take(sync);
      await followServer(systemClock, channel);
    }
    if (!channel.isClosed) this.#link.use(channel);
    return { isAccepting: this.#connections.isAccepting };
  }

  async #run(sync: Sync, channel: LineChannel): Promise<Running> {
    // Before the first request: it is counted in a second of the server.
    await followServer(systemClock, channel);
    const { dir, id } = this.#options;
    const own = new ProxyWorker(this.#link, sync.config, spoolPaths(dir, id));
    own.take(sync);
    const http = await own.http();
    const { server } = http;
    server.prependListener('request', (_request, response) => {
      if (this.#drainingSince !== null) response.shouldKeepAlive = false;
    });
    if (this.#options.address.behind) server.prependListener('connection', markNginx);
    await this.#connections.start(server);
    return { own, http, lingerMs: sync.config.lingerMs };
  }

  /** Accepts no new connections; those that are open are served to their end. */
  #drain(): void {
    if (this.#drainingSince !== null) return;
    this.#drainingSince = performance.now();
    this.#connections.stop();
  }

  async #end(limitMs: number, delayMs = 0): Promise<void> {
    if (this.#isEnding) return;
    this.#isEnding = true;
    const running = await this.#running;
    if (running) {
      const { own, http } = running;
      const { server } = http;
      const close = () => {
        this.#connections.stop();
        return server.close();
      };
      await endHttp({
        server: { close, closeIdleConnections: () => server.closeIdleConnections() },
        ...{ shutdown: own.shutdown, log: own.log },
        giveUp: () => own.worker.proxy.giveUp(),
        ...{ delayMs, limitMs },
      });
      await own.close();
    }
    // The answer to the server leaves first.
    setImmediate(() => void this.#exit());
  }

  async #tick(): Promise<void> {
    const { awaySince } = this.#link;
    const away = awaySince === null ? 0 : performance.now() - awaySince;
    if (this.#running === null) {
      if (away > UNUSED_MS) await this.#exit();
      return;
    }
    const { own, http, lingerMs } = await this.#running;
    own.worker.sendFigures();
    const streams = own.shutdown.underWay;
    if (away > lingerMs && streams === 0) await this.#exit();
    // No server comes back: only the streams that are open are still served.
    if (away > lingerMs) this.#drain();
    if (this.#drainingSince === null) return;
    const draining = performance.now() - this.#drainingSince;
    // Each answer closes its connection by now, so the others have been idle for as long.
    if (draining > IDLE_MS) this.#closeIdle(http.server);
    // A server has to know its totals first: the one that has replaced it may not be connected yet.
    if (this.#connections.areOver && awaySince === null) await this.#exit();
    if (draining > DRAIN_MS) await this.#end(0);
  }

  #closeIdle(server: WorkerHttp['server']): void {
    server.closeIdleConnections();
    this.#connections.closeUnused();
  }

  async #use<T>(use: (running: Running) => T): Promise<T | null> {
    return this.#running === null ? null : await use(await this.#running);
  }

  /** The last requests are counted too. */
  async #exit(): Promise<void> {
    const running = await this.#running;
    running?.own.worker.sendFigures();
    deleteRecord(this.#options.dir, this.#record);
    rmSync(this.#options.socket, { force: true });
    // A server that runs has its own socket there.
    removeEmptySocketFolder(this.#options.socket);
    process.exit(0);
  }
}
