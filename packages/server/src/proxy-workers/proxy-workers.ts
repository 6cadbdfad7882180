import { randomUUID } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Id } from '@dstack/core';
import type { ModelUse } from '@dstack/store';
import { makeSocketFolder } from '../hosts/socket-folder.ts';
import type { Logger } from '../logging.ts';
import type { AccessPage } from '../proxy/access-records.ts';
import type { CountedService } from '../proxy/proxy-figures.ts';
import { keptUses } from './kept-uses.ts';
import type { Handlers } from './line-channel.ts';
import {
  type Address,
  type Granted,
  type PushedRoute,
  type Sync,
  WORKER_PROTOCOL,
  type WorkerConfig,
} from './protocol.ts';
import { spawnWorker } from './spawn-worker.ts';
import { WorkerLink } from './worker-link.ts';
import {
  deleteRecord,
  isWorkerAlive,
  logPath,
  readWorkerRecords,
  spooledIds,
  spoolPath,
  type WorkerPaths,
} from './worker-records.ts';

export interface ProxyWorkersOptions {
  readonly paths: WorkerPaths;
  readonly count: number;
  readonly config: WorkerConfig;
  /** Differs between builds and configurations: a worker of another one is replaced. */
  readonly build: string;
  readonly node: string;
  readonly program: string;
  readonly env: Readonly<Record<string, string>>;
  readonly handlers: (link: () => WorkerLink) => Handlers;
  /** Everything that a worker must know. */
  readonly known: () => Promise<{
    readonly routes: readonly PushedRoute[];
    readonly grants: readonly Granted[];
  }>;
  readonly onSynced: (workerId: string) => void;
  readonly onClosed: (workerId: string) => void;
  /** No worker has the listening socket any more. */
  readonly onAllLost: () => void;
  readonly storeUsage: (uses: readonly ModelUse[]) => Promise<void>;
  readonly log: Logger;
}

/** A started worker answers within this time, in milliseconds. */
const START_MS = 15_000;
const ASK_MS = 10;

/** Delay before a worker is started again: doubled from one failure to the next. */
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 30_000;

/** After this time (ms) a worker counts as healthy. */
const HEALTHY_MS = 60_000;

/** The workers of this server: found, started, replaced and ended. */
export class ProxyWorkers {
  readonly #options: ProxyWorkersOptions;
  readonly #links = new Map<string, WorkerLink>();
  #address: Address | null = null;
  #failures = 0;
  #isFilling: Promise<void> | null = null;
  #isClosed = false;

  constructor(options: ProxyWorkersOptions) {
    this.#options = options;
  }

  /** Those that take new connections. */
  get #serving(): WorkerLink[] {
    return [...this.#links.values()].filter((link) => link.isReady && !link.isDraining);
  }

  get isServing(): boolean {
    return this.#serving.length > 0;
  }

  get ids(): string[] {
    return [...this.#links.keys()];
  }

  get figures(): CountedService[] {
    return [...this.#links.values()].flatMap(({ figures }) => figures);
  }

  notify(type: string, data: unknown): void {
    for (const link of this.#links.values()) link.notify(type, data);
  }

  /** Resolves when no worker sends requests to the job any more. */
  async leave(jobId: string): Promise<void> {
    const links = [...this.#links.values()].filter((link) => link.isReady);
    // A worker that ends has no requests either.
    await Promise.all(
      links.map((link) => link.channel.request('leave', { jobId }).catch(() => {})),
    );
  }

  /** What each worker has answered since the given numbers; a worker that ends is left out. */
  async access(runId: Id, after: ReadonlyMap<string, number>): Promise<Map<string, AccessPage>> {
    const links = [...this.#links.values()].filter((link) => link.isReady);
    const pages = await Promise.all(
      links.map(async ({ id, channel }): Promise<[string, AccessPage][]> => {
        const asked = { runId, after: after.get(id) ?? null };
        const page = channel.request<AccessPage>('access', asked);
        return await page.then(
          (found) => [[id, found]],
          () => [],
        );
      }),
    );
    return new Map(pages.flat());
  }

  get isEmpty(): boolean {
    return this.#links.size === 0;
  }

  /**
   * Connects to the workers of an earlier server. Those that listen at this address are used, or replaced
   * if they are of another build; all others stop listening. Returns the address if workers listen there.
   */
  async adopt({ host, port }: Pick<Address, 'host' | 'port'>): Promise<Address | null> {
    const links = await this.#find();
    const isHere = ({ isDraining, hello }: WorkerLink) =>
      !isDraining && hello.address.host === host && hello.address.port === port;
    const here = this.#options.count === 0 ? [] : links.filter(isHere);
    const [first] = here;
    for (const link of links) if (!here.includes(link)) await this.#retire(link);
    if (!first) return null;
    this.#address = first.hello.address;
    const own = here.filter((link) => this.#isOwn(link)).slice(0, this.#options.count);
    for (const link of own) await this.#sync(link);
    while (this.#serving.length < this.#options.count) await this.#start({ through: first });
    for (const link of here) if (!own.includes(link)) await this.#retire(link);
    return this.#address;
  }

  /**
   * Starts workers on a socket that this process listens on; resolves when all listen too. Calls
   * `onFirst` when one does.
   */
  async start(address: Address, listenerFd: number, onFirst: () => void): Promise<void> {
    this.#address = address;
    await this.#fill(async () => {
      const missing = Math.max(0, this.#options.count - this.#serving.length);
      const starts = Array.from({ length: missing }, async () => {
        await this.#start({ listenerFd });
        onFirst();
      });
      await Promise.all(starts);
    });
  }

  /** The workers continue without this server. */
  detach(): void {
    this.#isClosed = true;
    for (const { channel } of this.#links.values()) channel.close();
  }

  /** Ends all workers; requests to services may take `limitMs`. */
  async end(limitMs: number): Promise<void> {
    this.#isClosed = true;
    const ends = [...this.#links.values()].map(async ({ channel }) => {
      await channel.request('end', { limitMs }).catch(() => {});
      await channel.closed;
    });
    await Promise.all(ends);
    await this.#collectUsage();
  }

  async #find(): Promise<WorkerLink[]> {
    const { paths, log } = this.#options;
    const found: WorkerLink[] = [];
    for (const record of readWorkerRecords(paths.dir)) {
      if (!isWorkerAlive(record)) {
        deleteRecord(paths.dir, record);
        continue;
      }
      try {
        found.push(await this.#open(record.socket));
      } catch (error) {
        log.warn({ worker: record.id, pid: record.pid, err: error }, 'a proxy worker is replaced');
        process.kill(record.pid, 'SIGKILL');
        deleteRecord(paths.dir, record);
      }
    }
    await this.#collectUsage();
    return found;
  }

  async #open(socket: string): Promise<WorkerLink> {
    const link = await WorkerLink.open(socket, this.#options.handlers);
    this.#links.set(link.id, link);
    void link.channel.closed.then(() => this.#closed(link));
    return link;
  }

  #isOwn({ hello }: WorkerLink): boolean {
    return hello.protocol === WORKER_PROTOCOL && hello.build === this.#options.build;
  }

  /** It serves what it has begun, with everything it must know if it understands this server. */
  async #retire(link: WorkerLink): Promise<void> {
    await link.drain().catch(() => {});
    if (link.hello.protocol === WORKER_PROTOCOL) await this.#sync(link).catch(() => {});
  }

  async #sync(link: WorkerLink): Promise<void> {
    const { config, known, onSynced } = this.#options;
    await link.sync({ config, ...(await known()) } satisfies Sync);
    onSynced(link.id);
  }

  async #start(from: { readonly through: WorkerLink } | { readonly listenerFd: number }) {
    const { paths, node, program, env, build } = this.#options;
    const address = this.#address as Address;
    const id = randomUUID();
    const socket = join(paths.sockets, `${id.slice(0, 8)}.sock`);
    mkdirSync(paths.dir, { recursive: true, mode: 0o700 });
    makeSocketFolder(socket);
    const args = [
      ...[program, '--dir', paths.dir, '--id', id, '--socket', socket, '--build', build],
      ...['--host', address.host, '--port', String(address.port), '--url', address.url],
    ];
    const spawn = { node, args, env, logPath: logPath(paths.dir) };
    if ('through' in from) await from.through.channel.request('spawn', spawn);
    else spawnWorker(spawn, from.listenerFd);
    await this.#sync(await this.#answer(socket));
  }

  async #answer(socket: string): Promise<WorkerLink> {
    const end = performance.now() + START_MS;
    for (;;) {
      try {
        return await this.#open(socket);
      } catch (error) {
        if (performance.now() > end) throw error;
        await delay(ASK_MS);
      }
    }
  }

  #closed(link: WorkerLink): void {
    this.#links.delete(link.id);
    this.#options.onClosed(link.id);
    if (this.#isClosed) return;
    void this.#collectUsage();
    if (link.isDraining) return;
    const { paths, log } = this.#options;
    for (const record of readWorkerRecords(paths.dir)) {
      if (record.id === link.id) deleteRecord(paths.dir, record);
    }
    this.#failures = performance.now() - link.openedAt > HEALTHY_MS ? 1 : this.#failures + 1;
    log.warn({ worker: link.id.slice(0, 8), pid: link.hello.pid }, 'a proxy worker has ended');
    if (this.#serving.length === 0) this.#options.onAllLost();
    else void this.#refill();
  }

  /** Milliseconds to wait before a worker is started again. */
  get delayMs(): number {
    if (this.#failures === 0) return 0;
    return Math.min(FIRST_DELAY_MS * 2 ** (this.#failures - 1), LONGEST_DELAY_MS);
  }

  async #refill(): Promise<void> {
    await delay(this.delayMs, undefined, { ref: false });
    await this.#fill(async () => {
      while (!this.#isClosed && this.#serving.length < this.#options.count) {
        const [through] = this.#serving;
        if (!through) return;
        await this.#start({ through });
      }
    });
  }

  /** One at a time. */
  async #fill(fill: () => Promise<void>): Promise<void> {
    await this.#isFilling;
    if (this.#isClosed) return;
    this.#isFilling = fill().catch((error) => {
      this.#failures += 1;
      this.#options.log.error({ err: error }, 'a proxy worker could not be started');
    });
    await this.#isFilling;
    this.#isFilling = null;
  }

  /** Of workers that have ended while there was no server. */
  async #collectUsage(): Promise<void> {
    const { paths, storeUsage, log } = this.#options;
    const alive = new Set(this.#links.keys());
    for (const id of spooledIds(paths.dir)) {
      if (alive.has(id)) continue;
      const path = spoolPath(paths.dir, id);
      try {
        const uses = keptUses(path);
        if (uses.length > 0) await storeUsage(uses);
        rmSync(path, { force: true });
      } catch (error) {
        log.warn({ err: error, path }, 'usage of models was not stored');
      }
    }
  }
}
