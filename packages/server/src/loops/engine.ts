import type { RunContext, Signal, WorkKind } from '@dstack/core';
import type { ScheduledKind, Store } from '@dstack/store';
import type { ObservationDeps } from '../capacity/observation-pass.ts';
import type { VolumeObservationDeps } from '../capacity/volume-observation-pass.ts';
import type { Logger } from '../logging.ts';
import type { OfferSource } from '../offers/offer-source.ts';
import { leased } from './leased.ts';
import type { LogQuota } from './log-quota.ts';
import type { LoopObserver } from './loop-observer.ts';
import {
  capacityPass,
  fleetPass,
  gatewayPass,
  instancePass,
  type Pass,
  placementPass,
  runPass,
  volumePass,
} from './passes.ts';
import type { RunChanges } from './run-changes.ts';
import { Timers } from './timers.ts';
import { type PassEnding, type QueueDepth, WorkQueue } from './work-queue.ts';

export interface EngineOptions {
  readonly store: Store;
  readonly offers: OfferSource;
  /** Carries out the effect announced under this key; see `effects/`. */
  readonly effect: Pass;
  /** False: another server is to carry it out, and has heard of it too. */
  readonly effectIsOurs: (key: string) => Promise<boolean>;
  /** Asks backends about their instances; `arm` sets the time of the next question. */
  readonly observation: (arm: ObservationDeps['arm']) => Pass;
  /** The same for their volumes. */
  readonly volumeObservation: (arm: VolumeObservationDeps['arm']) => Pass;
  readonly context: () => RunContext;
  readonly changes: RunChanges;
  readonly quota: LogQuota;
  readonly log: Logger;
  /** Random id of this process: owner of its leases. */
  readonly owner: string;
  readonly observer?: LoopObserver | null;
}

/**
 * Passes of one kind that may run at a time. Effects wait for networks, so many of them may: as many
 * for jobs, and beside them as many for machines.
 */
const CONCURRENCY: Record<WorkKind, number> = {
  run: 8,
  placement: 2,
  capacity: 2,
  instance: 8,
  // Each waits for an answer over a network.
  observation: 32,
  fleet: 4,
  volume: 4,
  'volume-observation': 8,
  gateway: 4,
  intent: 64,
};

/** The safety net: what no signal and no alarm has found is found by then. */
const SWEEP_MS = 60_000;

const SCHEDULED: readonly ScheduledKind[] = [
  'run',
  'instance',
  'observation',
  'fleet',
  'volume',
  'volume-observation',
  'gateway',
];

/** Most overdue records that one sweep takes up, per kind. */
const SWEEP_LIMIT = 1000;

/**
 * The loops of the server. A signal puts a key into the queue of its kind, an alarm does the same
 * when a record's `nextPassAt` has come; at rest neither queue nor database is touched, but for the
 * sweep once a minute.
 */
export class Engine {
  readonly #options: EngineOptions;
  readonly #queues: Record<WorkKind, WorkQueue>;
  /** Effects that make and end machines: minutes each, for which no job's start shall wait. */
  readonly #machines: WorkQueue;
  readonly #timers: Timers;
  #unsubscribe: () => void = () => {};
  #running = false;
  #sweep: NodeJS.Timeout | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
    const { store, offers, context, changes, quota, log } = options;
    this.#timers = new Timers(
      () => context().now,
      (key) => {
        const [kind, id] = key.split(':') as [WorkKind, string];
        this.#add({ kind, id });
      },
    );
    const deps = {
      store,
      offers,
      context,
      changes,
      quota,
      log,
      observer: options.observer ?? null,
      // Writing may have taken longer than there was time left: then the alarm goes off at once.
      arm: (kind: ScheduledKind | 'placement', id: string, at: number | null) =>
        this.#timers.set(`${kind}:${id}`, at),
    };
    this.#queues = {
      run: this.#queue('run', runPass(deps)),
      placement: this.#queue('placement', placementPass(deps)),
      capacity: this.#queue(
        'capacity',
        capacityPass(deps, (id) => this.#add({ kind: 'placement', id })),
      ),
      instance: this.#queue('instance', instancePass(deps)),
      observation: this.#queue('observation', options.observation(deps.arm)),
      fleet: this.#queue('fleet', fleetPass(deps)),
      volume: this.#queue('volume', volumePass(deps)),
      'volume-observation': this.#queue('volume-observation', options.volumeObservation(deps.arm)),
      gateway: this.#queue('gateway', gatewayPass(deps)),
      intent: this.#queue('intent', options.effect, options.effectIsOurs),
    };
    this.#machines = this.#queue('intent', options.effect, options.effectIsOurs);
  }

  /** Takes up everything that was unfinished when a server last ended, then follows the signals. */
  async start(): Promise<void> {
    const { store } = this.#options;
    if (!store.shared) await store.engine.dropLeases();
    this.#unsubscribe = store.engine.onSignal(
      (signal) => this.#add(signal),
      () => void this.#takeUp(),
    );
    await this.#takeUp();
    this.#running = true;
    this.#sweep = setInterval(() => void this.#sweepDue(), SWEEP_MS);
    this.#sweep.unref();
  }

  /** Lets the passes under way end; what they leave is found at the next start. */
  async close(): Promise<void> {
    this.#running = false;
    this.#unsubscribe();
    clearInterval(this.#sweep);
    this.#timers.clear();
    const queues = [...Object.values(this.#queues), this.#machines];
    await Promise.all(queues.map((queue) => queue.close()));
  }

  /** Between `start` and `close`. */
  get isRunning(): boolean {
    return this.#running;
  }

  /** Passes by kind and state, for metrics. */
  depths(): Record<WorkKind, QueueDepth> {
    const { run, placement, capacity, instance, observation, fleet, volume, gateway, intent } =
      this.#queues;
    return {
      run: run.depth,
      placement: placement.depth,
      capacity: capacity.depth,
      instance: instance.depth,
      observation: observation.depth,
      fleet: fleet.depth,
      volume: volume.depth,
      'volume-observation': this.#queues['volume-observation'].depth,
      gateway: gateway.depth,
      intent: {
        waiting: intent.depth.waiting + this.#machines.depth.waiting,
        running: intent.depth.running + this.#machines.depth.running,
        delayed: intent.depth.delayed + this.#machines.depth.delayed,
      },
    };
  }

  #queue(name: WorkKind, pass: Pass, isOurs = async (_key: string) => true): WorkQueue {
    const { store, log, owner, observer } = this.#options;
    const onEnd = observer
      ? (ending: PassEnding['ending'], seconds: number) => observer.passEnded(name, ending, seconds)
      : undefined;
    // One server on its own database needs no leases: the queue itself works a key once at a time.
    const isLeased = store.shared && name !== 'capacity';
    const guarded = isLeased ? leased(store.engine, name, owner, pass) : pass;
    const ours: Pass = async (key) => ((await isOurs(key)) ? guarded(key) : { ending: 'done' });
    return new WorkQueue({ name, log, pass: ours, concurrency: CONCURRENCY[name], onEnd });
  }

  #add({ kind, id }: Signal): void {
    const isOfMachine = kind === 'intent' && !id.startsWith('job.');
    (isOfMachine ? this.#machines : this.#queues[kind]).add(id);
  }

  async #takeUp(): Promise<void> {
    const { engine } = this.#options.store;
    try {
      for (const { kind, id, at } of await engine.alarms()) this.#timers.set(`${kind}:${id}`, at);
      for (const signal of await engine.unfinished()) this.#add(signal);
    } catch (error) {
      this.#options.log.warn({ err: error }, 'unfinished work could not be read');
    }
  }

  async #sweepDue(): Promise<void> {
    const now = this.#options.context().now;
    try {
      for (const kind of SCHEDULED) {
        const ids = await this.#options.store.engine.due(kind, now, SWEEP_LIMIT);
        for (const id of ids) this.#add({ kind, id });
      }
    } catch (error) {
      this.#options.log.warn({ err: error }, 'sweep failed');
    }
  }
}
