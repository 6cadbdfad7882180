/** Everything that follows the writes of a story, and the events on its hosts. */
import type { Change, EngineSettings } from '@dstack/core';
import type { Store } from '@dstack/store';
import { AgentWatch } from './agent-watch.ts';
import { ArrayWatch } from './array-watch.ts';
import type { Breach } from './breach.ts';
import { DependencyWatch } from './dependency-watch.ts';
import { GatewayWatch } from './gateway-watch.ts';
import { HostFaultWatch } from './host-fault-watch.ts';
import { checkBlocks } from './invariants.ts';
import { QueueWatches } from './queue-watches.ts';
import type { RetentionWatch } from './retention-watch.ts';
import { RunWatch } from './run-watch.ts';
import { SilenceWatch } from './silence-watch.ts';
import type { SimClock } from './sim-clock.ts';
import type { SimGateways } from './sim-gateways.ts';
import type { SimHost } from './sim-hosts.ts';
import type { SimServers } from './sim-servers.ts';
import { StampWatch } from './stamp-watch.ts';
import { VolumeWatch } from './volume-watch.ts';
import { Watch } from './watch.ts';
import { type StoreWatch, watchedStore } from './watched-store.ts';

export interface SimWatchesParts {
  readonly clock: SimClock;
  readonly servers: () => SimServers;
  readonly hosts: () => ReadonlyMap<string, SimHost>;
  readonly gateways: SimGateways;
  /** See `SimulationOptions`. */
  readonly hasOwnClock: boolean;
  readonly onFailure: (error: unknown) => void;
}

export class SimWatches {
  readonly jobs: Watch;
  readonly volumes: VolumeWatch;
  readonly silence: SilenceWatch;
  readonly runs = new RunWatch();
  readonly arrays: ArrayWatch;
  readonly dependencies = new DependencyWatch(this.runs);
  readonly gateways: GatewayWatch;
  readonly #parts: SimWatchesParts;
  readonly #stamps: StampWatch;
  readonly #hostFaults: HostFaultWatch;
  readonly #agents: AgentWatch;
  #queue: QueueWatches | null = null;

  constructor(parts: SimWatchesParts) {
    this.#parts = parts;
    const { clock, servers, hosts } = parts;
    const onBreach = (breach: unknown) => parts.onFailure(breach);
    this.jobs = new Watch(onBreach, !parts.hasOwnClock);
    this.arrays = new ArrayWatch(this.runs, this.jobs);
    const job = this.jobs.job.bind(this.jobs);
    const host = (id: string) => hosts().get(id) ?? null;
    this.volumes = new VolumeWatch({ job, hosts: () => hosts().values(), onBreach });
    const awake = () => servers().awake;
    this.silence = new SilenceWatch({ ...{ clock, job, host, awake }, onBreach });
    this.#stamps = new StampWatch(
      clock,
      () => servers().now,
      () => servers().steppedAt,
    );
    this.#hostFaults = new HostFaultWatch({ job, host, onBreach });
    this.#agents = new AgentWatch({ job, host, onBreach });
    this.gateways = new GatewayWatch({ gateways: parts.gateways, runs: this.runs, onBreach });
  }

  get queue(): QueueWatches {
    if (!this.#queue) throw new Error('the simulation has not begun');
    return this.#queue;
  }

  /** The store of the story, which reports every write. */
  watched(store: Store, settings: EngineSettings, retention: RetentionWatch): Store {
    const { servers, onFailure, hasOwnClock } = this.#parts;
    this.#queue = new QueueWatches({
      ...{ store, settings, now: () => servers().now, steadySince: () => servers().steadySince },
      ...{ job: (id) => this.jobs.job(id), jobs: () => this.jobs.jobs },
      run: (id) => this.runs.of(id)?.run ?? null,
      isTimeSteady: !hasOwnClock,
      onBreach: (breach: Breach) => onFailure(breach),
    });
    const watched = watchedStore(store, this.#storeWatch(store, retention));
    return this.gateways.watched(this.#agents.watched(watched));
  }

  /** Every write is checked, in the order of the commits. */
  #storeWatch(store: Store, { retention }: RetentionWatch): StoreWatch {
    return {
      retention,
      applying: (changes) => {
        this.jobs.applying(changes);
        this.#hostFaults.applying(changes);
      },
      during: (write) => this.queue.during(write),
      quotasSet: () => this.queue.quotasSet(),
      submitted: (made) => {
        this.jobs.inserted(made.jobs);
        this.queue.inserted(made.jobs);
        this.runs.submitted(made);
        this.#reporting(() => this.dependencies.submitted(made));
      },
      requested: (changes) => {
        this.arrays.requested(changes);
        this.dependencies.requested(changes);
      },
      created: (volume) => this.volumes.created(volume),
      applied: (changes) => this.#onCommitted(store, changes),
    };
  }

  async #onCommitted(store: Store, changes: readonly Change[]): Promise<void> {
    this.runs.applied(changes);
    try {
      this.jobs.applied(changes);
      this.volumes.applied(changes);
      this.silence.applied(changes);
      this.#stamps.applied(changes);
      this.#agents.applied(changes);
      this.arrays.applied(changes);
      this.dependencies.applied(changes);
      await this.queue.applied(changes);
      for (const change of changes) {
        if (change.type === 'instance.update') await checkBlocks(store, change);
      }
    } catch (error) {
      this.#parts.onFailure(error);
    }
  }

  /** An error that is thrown into a request of a user would look like its refusal. */
  #reporting(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.#parts.onFailure(error);
    }
  }
}
