import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Id } from '@dstack/core';
import type { AccessPage, BeatLimits, CountedService, Handlers, Known } from '@dstack/proxy';
import { ProcessFigures } from '@dstack/proxy';
import type { Logger } from '../process/logging.ts';
import { LostWorkers } from './lost-workers.ts';
import { presentWorkers } from './present-workers.ts';
import type { Address, PushedHost, Sync, WorkerConfig } from './protocol.ts';
import { WorkerLink } from './worker-link.ts';
import {
  deleteRecord,
  isWorkerAlive,
  killWorker,
  readWorkerRecords,
  type WorkerPaths,
  withdrawAnnouncements,
} from './worker-records.ts';
import type { WorkerSpools } from './worker-spools.ts';
import { type StartedFrom, WorkerStart } from './worker-start.ts';

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
  readonly known: () => Promise<Known<PushedHost> & Pick<Sync, 'generation'>>;
  readonly onSynced: (workerId: string) => void;
  readonly onClosed: (workerId: string) => void;
  /** No worker has the listening socket any more. */
  readonly onAllLost: () => void;
  readonly spools: Pick<WorkerSpools, 'collect' | 'deliverKept'>;
  /** Whether this process itself keeps counts by this id; none by default. */
  readonly keepsItself?: (id: string) => boolean;
  readonly log: Logger;
  /** A question that a worker does not answer for so long (ms) closes its link, and the worker is replaced. */
  readonly answerMs?: number;
  /** When a worker stands still. */
  readonly beats?: BeatLimits;
}

export interface EndTimes {
  /** Milliseconds for which new connections are still accepted, as load balancers have not left yet. */
  readonly delayMs: number;
  /** Milliseconds that requests under way may take then. */
  readonly limitMs: number;
}

/** A busy one answers within this time, in milliseconds. */
const ANSWER_MS = 30_000;

/** Delay before a worker is started again: doubled from one failure to the next. */
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 30_000;

/** After this time (ms) a worker counts as healthy. */
const HEALTHY_MS = 60_000;

/** The workers of this server: found, started, replaced and ended. */
export class ProxyWorkers {
  readonly #options: ProxyWorkersOptions;
  readonly #answerMs: number;
  readonly #links = new Map<string, WorkerLink>();
  readonly #lost: LostWorkers;
  readonly #start: WorkerStart;
  /** Totals of ended workers are kept on the disk. */
  readonly figures: ProcessFigures<object>;
  #address: Address | null = null;
  #failures = 0;
  #filling: Promise<void> = Promise.resolve();
  #isClosed = false;
  #isDetached = false;

  constructor(options: ProxyWorkersOptions) {
    this.#options = options;
    this.#answerMs = options.answerMs ?? ANSWER_MS;
    this.#lost = new LostWorkers(options.paths.dir);
    this.#start = new WorkerStart({
      ...options,
      askMs: this.#answerMs,
      open: (socket) => this.#open(socket),
    });
    this.figures = new ProcessFigures(join(options.paths.dir, 'ended.figures'), options.log);
  }

  get #ready(): WorkerLink[] {
    return [...this.#links.values()].filter((link) => link.isReady && link.isUnderstood);
  }

  /** Those that take new connections. */
  get #serving(): WorkerLink[] {
    return [...this.#links.values()].filter((link) => link.isReady && !link.isDraining);
  }

  /** See `presentWorkers`. */
  get #present(): WorkerLink[] {
    return presentWorkers(this.#serving.filter((link) => this.#isOwn(link)));
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

  /** The requests that each worker has answered since the given numbers; one that ends, or is unresponsive, is left out. */
  async access(runId: Id, after: ReadonlyMap<string, number>): Promise<Map<string, AccessPage>> {
    const links = this.#ready.filter(({ isUnresponsive }) => !isUnresponsive);
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
  async adopt({ host, port, behind = null }: Omit<Address, 'url'>): Promise<Address | null> {
    for (const link of await this.#find()) {
      const { isDraining, hello } = link;
      const { address } = hello;
      const isPlace = address.host === host && address.port === port;
      const isHere = isPlace && (address.behind ?? null) === behind;
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
        await this.#begin({ listenerFd });
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
    await this.#lost.ended;
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
    const { handlers, beats, log } = this.#options;
    const link = await WorkerLink.open({
      ...{ socket, handlers, onAccepting: () => void this.#refill() },
      onUnresponsive: (unresponsive) => this.#onUnresponsive(unresponsive),
      onLost: ({ id, process }) =>
        log.warn({ ...named(id), pid: process.pid }, 'a proxy worker stands still: it is ended'),
      ...(beats && { beats }),
    });
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

  async #begin(from: StartedFrom): Promise<void> {
    await this.#sync(await this.#start.start(this.#address as Address, from));
  }

  /**
   * It may answer again, and is ended only later. If it accepts the connections of all, another one does so from now on,
   * and gives others a share; then this one is not needed any more.
   */
  #onUnresponsive(unresponsive: WorkerLink): void {
    const { log } = this.#options;
    log.warn(
      { ...named(unresponsive.id), pid: unresponsive.process.pid },
      'a proxy worker does not answer',
    );
    const others = this.#serving.filter((link) => !link.isUnresponsive && this.#isOwn(link));
    if (others.some(({ isAccepting }) => isAccepting)) return;
    others[0]?.notify('accept', {});
  }

  #closed(link: WorkerLink): void {
    this.#links.delete(link.id);
    // Those that go on without this server report their figures to the next one.
    if (!this.#isDetached) this.figures.ended(link);
    this.#options.onClosed(link.id);
    if (this.#isDetached) return;
    void this.#lost.end(link).then(() => this.#onEnded(link));
  }

  #onEnded({ id, process, isDraining, openedAt }: WorkerLink): void {
    if (this.#isClosed) return;
    void this.#collectKept();
    if (isDraining) return;
    this.#failures = performance.now() - openedAt > HEALTHY_MS ? 1 : this.#failures + 1;
    this.#options.log.warn({ ...named(id), pid: process.pid }, 'a proxy worker has ended');
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
      await this.#begin({ through });
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
    const { spools, keepsItself = () => false } = this.#options;
    await spools.collect((id) => this.#links.has(id) || this.#lost.has(id) || keepsItself(id));
  }
}

const named = (id: string) => ({ worker: id.slice(0, 8) });
