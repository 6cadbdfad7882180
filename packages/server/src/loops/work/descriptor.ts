import type { Id, RunContext, RunSnapshot, Signal, WorkKind } from '@dstack/core';
import type { Examined, LeasedKind, ScheduledKind, Store } from '@dstack/store';
import type { ObservationDeps } from '../../capacity/observation-pass.ts';
import type { VolumeObservationDeps } from '../../capacity/volume-observation-pass.ts';
import type { OfferSource } from '../../offers/offer-source.ts';
import type { Logger } from '../../process/logging.ts';
import type { LoopObserver } from '../../queues/loop-observer.ts';
import type { KeyWork } from '../../queues/work-queue.ts';
import type { LogQuota } from '../log-quota.ts';
import type { RunChanges } from '../run-changes.ts';

/** The parts that work of all kinds uses. */
export interface WorkDeps {
  readonly store: Store;
  readonly offers: OfferSource;
  readonly context: () => RunContext;
  /** Reads the clock that the servers share. */
  readonly measureTime: () => Promise<void>;
  /** Sets or clears the alarm of a key; a key that is due already is enqueued. */
  readonly arm: (kind: ScheduledKind | 'pool', id: string, at: number | null) => void;
  /** Enqueues a key on this server only. */
  readonly wake: (signal: Signal) => void;
  /** Enqueues the pass of a pool for new work in it, on this server only. */
  readonly wakeForNewWork: (poolId: Id) => void;
  /** The gangs that the pass of a pool that begins now has to examine. */
  readonly examined: (poolId: Id) => Examined;
  readonly changes: RunChanges;
  readonly quota: LogQuota;
  /** Queries Prometheus for figures of services; omitted: figures stay unknown. */
  readonly queries?: { want(snapshot: RunSnapshot): void };
  /** Carries out the effect announced under a key; see `effects/`. */
  readonly effect: KeyWork;
  /** False: another server carries the effect out, and has received its signal too. */
  readonly effectIsOurs: (key: string) => Promise<boolean>;
  /** Observations use the backends, and open the links to agents that can be reached. */
  readonly backends: ObservationDeps['backends'];
  readonly links: ObservationDeps['links'];
  readonly hosts: VolumeObservationDeps['hosts'];
  /** Omitted: this server has no links to gateways. */
  readonly gateways?: { changed(gatewayId: string): void };
  readonly observer: LoopObserver | null;
  readonly log: Logger;
}

/** The description of one kind of work; the table of all kinds is in `index.ts`. */
export interface WorkDescriptor<K extends WorkKind = WorkKind> {
  readonly kind: K;
  /** How many keys are worked on at a time, per queue. */
  readonly queues: Readonly<Record<string, number>>;
  /** The queue for a key, if the kind has several. */
  readonly queueOf?: (key: string) => string;
  /**
   * The lease that a server needs; null = several may work on one key, since nothing is written.
   */
  readonly lease: LeasedKind | null;
  /** Records whose `nextPassAt` the sweep checks; null = this work has none. */
  readonly schedule: ScheduledKind | null;
  /**
   * The time of the next pass is stored only along with news: until then the alarm of the server that
   * does the work counts, and a restart finds the record overdue.
   */
  readonly isTimedInMemory?: true;
  /** False: another server does it. Omitted: the first server does it. */
  readonly isOurs?: (deps: WorkDeps, key: string) => Promise<boolean>;
  readonly work: (deps: WorkDeps) => KeyWork;
}
