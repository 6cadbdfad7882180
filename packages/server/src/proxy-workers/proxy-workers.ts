import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Id } from '@dstack/core';
import type { AccessPage, CountedService, Handlers, Known } from '@dstack/proxy';
import { ProcessFigures } from '@dstack/proxy';
import { makeSocketFolder } from '../hosts/socket-folder.ts';
import type { Logger } from '../process/logging.ts';
import type { Address, PushedHost, Sync, WorkerConfig } from './protocol.ts';
import { spawnWorker } from './spawn-worker.ts';
import { WorkerLink } from './worker-link.ts';
import {
  announceWorker,
  deleteRecord,
  isWorkerAlive,
  killWorker,
  logPath,
  readWorkerRecords,
  startTimeOf,
  type WorkerPaths,
  type WorkerRecord,
  withdrawAnnouncement,
  withdrawAnnouncements,
  writeRecord,
} from './worker-records.ts';
import type { WorkerSpools } from './worker-spools.ts';

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
  readonly known: () => Promise<Known<PushedHost>>;
  readonly onSynced: (workerId: string) => void;
  readonly onClosed: (workerId: string) => void;
  /** No worker has the listening socket any more. */
  readonly onAllLost: () => void;
  readonly spools: Pick<WorkerSpools, 'collect' | 'deliverKept'>;
  readonly log: Logger;
  /** A worker that does not answer for so long (ms) stands still, and is replaced. */
  readonly answerMs?: number;
}

export interface EndTimes {
  /** Milliseconds for which new connections are still accepted, as load balancers have not left yet. */
  readonly delayMs: number;
  /** Milliseconds that requests under way may take then. */
  readonly limitMs: number;
}

/** A started worker answers within this time, in milliseconds. */
const START_MS = 15_000;
/** A busy one answers within this time, in milliseconds. */
const ANSWER_MS = 30_000;
const ASK_MS = 10;

/** Delay before a worker is started again: doubled from one failure to the next. */
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 30_000;

/** New objects get at most 16 MB before they are collected: less memory under load, at the same CPU per request. */
const YOUNG_MEMORY = '--max-semi-space-size=16';

/** After this time (ms) a worker counts as healthy. */
const HEALTHY_MS = 60_000;

/** The workers of this server: found, started, replaced and ended. */
export class ProxyWorkers {
  readonly #options: ProxyWorkersOptions;
  readonly #answerMs: number;
  readonly #links = new Map<string, WorkerLink>();
  /** Workers whose connection has closed and that may still run, by id; resolves once one of them is ended. */
  readonly #lost = new Map<string, Promise<void>>();
  /** Totals of ended workers are kept on the disk. */
  readonly figures: ProcessFigures<WorkerLink>;
  #address: Address | null = null;
  #failures = 0;
  #filling: Promise<void> = Promise.resolve();
  #isClosed = false;
  #isDetached = false;

  constructor(options: ProxyWorkersOptions) {
    this.#options = options;
    this.#answerMs = options.answerMs ?? ANSWER_MS;
    this.figures = new ProcessFigures(join(options.paths.dir, 'ended.figures'));
  }

  get #ready(): WorkerLink[] {
    return [...this.#links.values()].filter((link) => link.isReady && link.isUnderstood);
  }

  /** Those that take new connections. */
  get #serving(): WorkerLink[] {
    return [...this.#links.values()].filter((link) => link.isReady && !link.isDraining);
  }

  /**
   * Those that need not be replaced: one that accepts connections, and those that get a share of them. Where several
   * accept, because the one by which they were started has ended, few of them get most.
   */
  get #present(): WorkerLink[] {
    const own = this.#serving.filter((link) => this.#isOwn(link));
    const [accepting, ...others] = own.filter(({ isAccepting }) => isAccepting);
    return accepting
      ? [accepting, ...own.filter((link) => link !== accepting && !others.includes(link))]
      : own;
  }

  get isServing(): boolean {
    return this.#serving.length > 0;
  }

  get ids(): string[] {
    return [...this.#links.keys()];
  }

  /** The figures of these services have changed. */
  counted(link: WorkerLink, changed: readonly CountedService[]): void {
    this.figures.put(link, changed);
  }

  notify(type: string, data: unknown): void {
    for (const link of this.#links.values()) link.notify(type, data);
  }

  /** Resolves when no worker sends requests to the job any more. */
  async leave(jobId: string): Promise<void> {
    const links = this.#ready;
    // A worker that ends has no requests either.
    await Promise.all(links.map((link) => link.channel.ask('leave', { jobId }).catch(() => {})));
  }

  /** The requests that each worker has answered since the given numbers; a worker that ends is left out. */
  async access(runId: Id, after: ReadonlyMap<string, number>): Promise<Map<string, AccessPage>> {
    const links = this.#ready;
    const pages = await Promise.all(
      links.map(async (link): Promise<[string, AccessPage][]> => {
        const asked = { runId, after: after.get(link.id) ?? null };
        const page = link.ask<AccessPage>('access', asked, this.#answerMs);
        return await page.then(
          (found) => [[link.id, found]],
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
   * Connects to the workers of an earlier server. Those that listen at this address are used, and replaced
   * later if they are of another build; all others stop listening. Returns the address if workers listen
   * there.
   */
  async adopt({ host, port }: Pick<Address, 'host' | 'port'>): Promise<Address | null> {
    for (const link of await this.#find()) {
      const { isDraining, hello } = link;
      const isHere = hello.address.host === host && hello.address.port === port;
      if (this.#options.count === 0 || isDraining || !isHere) await this.#retire(link);
      else if (!link.isUnderstood) link.isReady = true;
      else await this.#sync(link).catch(() => this.#ended(link));
    }
    const [first] = this.#serving;
    if (!first) return null;
    this.#address = first.hello.address;
    void this.#refill();
    return this.#address;
  }

  /**
   * Starts workers on a socket that this process listens on; resolves when all listen too. Calls
   * `onFirst` when one does.
   */
  async start(address: Address, listenerFd: number, onFirst: () => void): Promise<void> {
    this.#address = address;
    await this.#fill(async () => {
      if (!this.isServing) {
        await this.#start({ listenerFd });
        onFirst();
      }
      await this.#complete();
    });
  }

  /** The workers continue without this server. */
  detach(): void {
    this.#isClosed = true;
    this.#isDetached = true;
    for (const { channel } of this.#links.values()) channel.close();
  }

  /** Ends all workers. */
  async end(times: EndTimes): Promise<void> {
    this.#isClosed = true;
    // One that is being started must end too.
    await this.#filling;
    const mostMs = times.delayMs + times.limitMs + this.#answerMs;
    const ends = [...this.#links.values()].map(async (link) => {
      await link.ask('end', times, mostMs).catch(() => {});
      await link.channel.closed;
    });
    await Promise.all(ends);
    await Promise.all(this.#lost.values());
    await this.#collectKept();
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
        await killWorker(record);
        deleteRecord(paths.dir, record);
      }
    }
    withdrawAnnouncements(paths.dir);
    await this.#collectKept();
    return found;
  }

  async #open(socket: string): Promise<WorkerLink> {
    const link = await WorkerLink.open(socket, this.#options.handlers, () => void this.#refill());
    this.#links.set(link.id, link);
    void link.channel.closed.then(() => this.#closed(link));
    return link;
  }

  #isOwn({ isUnderstood, hello }: WorkerLink): boolean {
    return isUnderstood && hello.build === this.#options.build;
  }

  /** It was ending when this server connected: the address is free once it has. */
  async #ended({ channel, process }: WorkerLink): Promise<void> {
    channel.close();
    await killWorker(process);
  }

  /** It completes what it has begun, with everything it must know if it understands this server. */
  async #retire(link: WorkerLink): Promise<void> {
    await link.drain(this.#answerMs).catch(() => {});
    if (link.isUnderstood) await this.#sync(link).catch(() => {});
  }

  async #sync(link: WorkerLink): Promise<void> {
    const { config, known, onSynced, spools } = this.#options;
    await link.sync({ config, ...(await known()) } satisfies Sync, this.#answerMs);
    onSynced(link.id);
    void spools.deliverKept(link.id);
  }

  async #start(from: { readonly through: WorkerLink } | { readonly listenerFd: number }) {
    const { paths, node, program, env, build } = this.#options;
    const address = this.#address as Address;
    const id = randomUUID();
    const socket = join(paths.sockets, `${id.slice(0, 8)}.sock`);
    mkdirSync(paths.dir, { recursive: true, mode: 0o700 });
    makeSocketFolder(socket);
    const { host, port, url } = address;
    const options = { dir: paths.dir, id, socket, build, host, port: String(port), url };
    const args = [
      ...[YOUNG_MEMORY, program],
      ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]),
    ];
    const spawn = { node, args, env, logPath: logPath(paths.dir) };
    // It holds the address from the moment when it is made, and writes its record only when it runs: the
    // next server must find it even if this one is killed at any time in between.
    announceWorker(paths.dir, id);
    const pid =
      'through' in from
        ? await from.through.ask<number | null>('spawn', spawn, this.#answerMs)
        : spawnWorker(spawn, from.listenerFd).pid;
    const record =
      typeof pid === 'number'
        ? { id, pid, startTime: startTimeOf(pid), socket, address, build }
        : null;
    if (record !== null) writeRecord(paths.dir, record);
    withdrawAnnouncement(paths.dir, id);
    await this.#sync(await this.#answer(socket, record));
  }

  /** Rejects once the worker has ended, or does not answer in time: then it is ended. */
  async #answer(socket: string, record: WorkerRecord | null): Promise<WorkerLink> {
    const end = performance.now() + START_MS;
    for (;;) {
      try {
        return await this.#open(socket);
      } catch (error) {
        const hasEnded = record !== null && !isWorkerAlive(record);
        if (hasEnded || performance.now() > end) {
          if (record !== null) await this.#giveUp(record);
          throw error;
        }
        await delay(ASK_MS);
      }
    }
  }

  async #giveUp(record: WorkerRecord): Promise<void> {
    await killWorker(record);
    if (!isWorkerAlive(record)) deleteRecord(this.#options.paths.dir, record);
  }

  #closed(link: WorkerLink): void {
    this.#links.delete(link.id);
    // Those that go on without this server report their figures to the next one.
    if (!this.#isDetached) this.figures.ended(link);
    this.#options.onClosed(link.id);
    if (this.#isDetached) return;
    this.#lost.set(link.id, this.#end(link));
  }

  /**
   * A worker whose connection has closed has ended, or nothing leads it any more. What it has kept is collected once it
   * writes nothing more; one that cannot be ended keeps it for the next server.
   */
  async #end({ id, process, isDraining, openedAt }: WorkerLink): Promise<void> {
    const { paths, log } = this.#options;
    await killWorker(process);
    if (!isWorkerAlive(process)) {
      this.#lost.delete(id);
      for (const record of readWorkerRecords(paths.dir)) {
        if (record.id === id) deleteRecord(paths.dir, record);
      }
    }
    if (this.#isClosed) return;
    void this.#collectKept();
    if (isDraining) return;
    this.#failures = performance.now() - openedAt > HEALTHY_MS ? 1 : this.#failures + 1;
    log.warn({ worker: id.slice(0, 8), pid: process.pid }, 'a proxy worker has ended');
    this.#restore();
  }

  #restore(): void {
    if (this.#isClosed) return;
    if (this.isServing) void this.#refill();
    else this.#options.onAllLost();
  }

  /** Milliseconds to wait before a worker is started again. */
  get delayMs(): number {
    if (this.#failures === 0) return 0;
    return Math.min(FIRST_DELAY_MS * 2 ** (this.#failures - 1), LONGEST_DELAY_MS);
  }

  /** Workers on the listening socket of those that serve, until there are enough of this build. */
  async #refill(): Promise<void> {
    await delay(this.delayMs, undefined, { ref: false });
    await this.#fill(() => this.#complete());
  }

  async #complete(): Promise<void> {
    while (!this.#isClosed && this.#present.length < this.#options.count) {
      // The first of this build gets a share of the connections, and gives one to those that it starts.
      const [through = this.#serving[0]] = this.#present;
      if (!through) return;
      await this.#start({ through });
    }
    const kept = new Set(this.#present.slice(0, this.#options.count));
    for (const link of this.#serving) if (!kept.has(link)) await this.#retire(link);
  }

  /** One at a time. */
  async #fill(fill: () => Promise<void>): Promise<void> {
    this.#filling = this.#filling.then(async () => {
      if (this.#isClosed) return;
      try {
        await fill();
      } catch (error) {
        if (this.#isClosed) return;
        this.#failures += 1;
        this.#options.log.error({ err: error }, 'a proxy worker could not be started');
        setImmediate(() => this.#restore());
      }
    });
    await this.#filling;
  }

  /** Stores what workers that have ended left on the disk. */
  async #collectKept(): Promise<void> {
    await this.#options.spools.collect((id) => this.#links.has(id) || this.#lost.has(id));
  }
}
