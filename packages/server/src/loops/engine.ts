import {
  LONGEST_OBSERVATION_DELAY,
  type RunContext,
  type Signal,
  type WorkKind,
} from '@dstack/core';
import type { LeasedKind, Store } from '@dstack/store';
import type { ObservationDeps } from '../capacity/observation-pass.ts';
import type { VolumeObservationDeps } from '../capacity/volume-observation-pass.ts';
import type { OfferSource } from '../offers/offer-source.ts';
import type { Logger } from '../process/logging.ts';
import { LeaseTurns, type LeaseTurnsOptions } from '../queues/lease-turns.ts';
import { leased } from '../queues/leased.ts';
import type { LoopObserver } from '../queues/loop-observer.ts';
import { type KeyWork, type QueueDepth, type WorkEnding, WorkQueue } from '../queues/work-queue.ts';
import type { LogQuota } from './log-quota.ts';
import { overdue } from './overdue.ts';
import { PoolCauses } from './pool-causes.ts';
import type { RunChanges } from './run-changes.ts';
import { Timers } from './timers.ts';
import type { WorkDeps, WorkDescriptor } from './work/descriptor.ts';
import { WORK, WORK_KINDS } from './work/index.ts';

export interface EngineOptions {
  readonly store: Store;
  readonly offers: OfferSource;
  /** Carries out the effect announced under this key; see `effects/`. */
  readonly effect: KeyWork;
  /** False: another server carries it out, and has received its signal too. */
  readonly effectIsOurs: (key: string) => Promise<boolean>;
  readonly backends: ObservationDeps['backends'];
  readonly links: ObservationDeps['links'];
  readonly hosts: VolumeObservationDeps['hosts'];
  readonly context: () => RunContext;
  /** Reads the clock that the servers share. */
  readonly measureTime: () => Promise<void>;
  readonly changes: RunChanges;
  readonly quota: LogQuota;
  readonly queries?: WorkDeps['queries'];
  readonly log: Logger;
  /** Random id of this process: owner of its leases. */
  readonly owner: string;
  readonly observer?: LoopObserver | null;
  readonly gateways?: { changed(gatewayId: string): void };
}

/** The safety net: the sweep finds the work that signals, alarms and older servers have missed. */
const SWEEP_MS = 60_000;

/**
 * The loops of the server. A signal puts a key into the queue of its kind, and so does an alarm
 * when a record's `nextPassAt` has come. At rest neither queue nor database is used, except by the
 * sweep once a minute.
 */
export class Engine {
  readonly #options: EngineOptions;
  /** By kind, and by the names that its descriptor gives them. */
  readonly #queues: ReadonlyMap<WorkKind, ReadonlyMap<string, WorkQueue>>;
  readonly #timers: Timers;
  readonly #causes = new PoolCauses();
  /** Null: no other server takes leases. */
  readonly #turns: LeaseTurns | null;
  /** Reads the unfinished work, until it succeeds: the sweep finds no effects. */
  readonly #takeUps: WorkQueue;
  #unsubscribe: () => void = () => {};
  #running = false;
  #sweep: NodeJS.Timeout | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#timers = new Timers(
      () => options.context().now,
      (key) => {
        const [kind, id] = key.split(':') as [WorkKind, string];
        this.#add({ kind, id });
      },
    );
    const { shared, peers } = options.store;
    const onFree: LeaseTurnsOptions['onFree'] = (kind, id) => this.#hasten(kind, id);
    this.#turns = shared ? new LeaseTurns({ peers, onFree }) : null;
    const deps: WorkDeps = {
      ...options,
      observer: options.observer ?? null,
      // The write may have taken longer than the time left: then the alarm goes off at once.
      arm: (kind, id, at) => this.#timers.set(`${kind}:${id}`, at),
      wake: (signal) => this.#add(signal),
      wakeForNewWork: (id) => {
        this.#causes.newWork(id);
        this.#enqueue({ kind: 'pool', id });
      },
      examined: (id) => this.#causes.take(id),
    };
    this.#queues = new Map(WORK_KINDS.map((kind) => [kind, this.#queuesOf(WORK[kind], deps)]));
    const work = () => this.#takeUp();
    this.#takeUps = new WorkQueue({ name: 'take-up', log: options.log, work, concurrency: 1 });
  }

  /** Enqueues everything that was unfinished when a server last ended, then follows the signals. */
  async start(): Promise<void> {
    const { store } = this.#options;
    if (!store.shared) await store.engine.dropLeases();
    this.#unsubscribe = store.engine.onSignal(
      (signal) => this.#add(signal),
      () => this.#takeUps.add('all'),
    );
    this.#takeUps.add('all');
    this.#running = true;
    this.#sweep = setInterval(() => void this.#sweepDue(), SWEEP_MS);
    this.#sweep.unref();
  }

  /** Decides anew on everything that is unfinished: no stored time fits the present one. */
  timeJumped(): void {
    if (!this.#running) return;
    this.#options.log.warn('the time has jumped: a step of the clock, or this host was suspended');
    this.#timers.rearm();
    this.#takeUps.add('all');
  }

  /** Waits for the passes under way; the next start finds the remaining work. */
  async close(): Promise<void> {
    this.#running = false;
    this.#unsubscribe();
    this.#turns?.close();
    clearInterval(this.#sweep);
    await this.#takeUps.close();
    this.#timers.clear();
    const queues = [...this.#queues.values()].flatMap((own) => [...own.values()]);
    await Promise.all(queues.map((queue) => queue.close()));
  }

  /** Between `start` and `close`. */
  get isRunning(): boolean {
    return this.#running;
  }

  /** Keys by kind and state, for metrics. */
  depths(): Record<WorkKind, QueueDepth> {
    const depths = WORK_KINDS.map((kind) => [kind, sum(this.#queues.get(kind))] as const);
    return Object.fromEntries(depths) as Record<WorkKind, QueueDepth>;
  }

  #queuesOf(descriptor: WorkDescriptor, deps: WorkDeps): ReadonlyMap<string, WorkQueue> {
    const { kind, queues } = descriptor;
    const { log, observer } = this.#options;
    const work = this.#guarded(descriptor, deps);
    const onEnd = observer
      ? (ending: WorkEnding['ending'], seconds: number) => observer.passEnded(kind, ending, seconds)
      : undefined;
    return new Map(
      Object.entries(queues).map(([name, concurrency]) => [
        name,
        new WorkQueue({ name: kind, log, work, concurrency, onEnd }),
      ]),
    );
  }

  /** Done by one server at a time. With a single server the queue alone ensures that. */
  #guarded(descriptor: WorkDescriptor, deps: WorkDeps): KeyWork {
    const { store, owner } = this.#options;
    const { lease, isOurs } = descriptor;
    const work = descriptor.work(deps);
    const guarded =
      store.shared && lease ? leased(store.engine, lease, owner, work, this.#turns) : work;
    if (!isOurs) return guarded;
    return async (key) => ((await isOurs(deps, key)) ? guarded(key) : { ending: 'done' });
  }

  #add(signal: Signal): void {
    if (signal.kind === 'pool') this.#causes.other(signal.id);
    this.#enqueue(signal);
  }

  #enqueue({ kind, id }: Signal): void {
    const queues = this.#queues.get(kind);
    const name = WORK[kind]?.queueOf?.(id) ?? kind;
    queues?.get(name)?.add(id);
  }

  /** The work of a kind is leased under its own name. */
  #hasten(kind: LeasedKind, id: string): void {
    if (kind === 'sweep' || kind === 'retention') return;
    const name = WORK[kind]?.queueOf?.(id) ?? kind;
    this.#queues.get(kind)?.get(name)?.hasten(id);
  }

  async #takeUp(): Promise<WorkEnding> {
    const { engine } = this.#options.store;
    const { now } = this.#options.context();
    await engine.countOverlooked();
    for (const { kind, id, at } of await engine.alarms()) {
      const key = `${kind}:${id}`;
      const isKept = WORK[kind].isTimedInMemory && this.#timers.has(key);
      if (!isKept) this.#timers.set(key, at);
      // Stored by a server whose clock was ahead; all other kinds are unfinished work below.
      const isQuestion = kind === 'observation' || kind === 'volume-observation';
      if (isQuestion && at > now + LONGEST_OBSERVATION_DELAY) this.#add({ kind, id });
    }
    for (const signal of await engine.unfinished()) this.#add(signal);
    return { ending: 'done' };
  }

  async #sweepDue(): Promise<void> {
    const { store, context } = this.#options;
    const hasAlarm = (kind: WorkKind, id: string) => this.#timers.has(`${kind}:${id}`);
    try {
      const { now } = context();
      for (const signal of await overdue({ store, now, hasAlarm })) this.#add(signal);
      await store.engine.countOverlooked();
      await store.engine.keepShareTime();
    } catch (error) {
      this.#options.log.warn({ err: error }, 'sweep failed');
    }
  }
}

function sum(queues: ReadonlyMap<string, WorkQueue> | undefined): QueueDepth {
  const total = { waiting: 0, running: 0, delayed: 0 };
  for (const { depth } of queues?.values() ?? []) {
    total.waiting += depth.waiting;
    total.running += depth.running;
    total.delayed += depth.delayed;
  }
  return total;
}
