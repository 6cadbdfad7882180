import type { RunContext, Signal, WorkKind } from '@dstack/core';
import type { LeasedKind, ScheduledKind, Store } from '@dstack/store';
import type { ObservationDeps } from '../../capacity/observation-pass.ts';
import type { VolumeObservationDeps } from '../../capacity/volume-observation-pass.ts';
import type { Logger } from '../../logging.ts';
import type { OfferSource } from '../../offers/offer-source.ts';
import type { LogQuota } from '../log-quota.ts';
import type { LoopObserver } from '../loop-observer.ts';
import type { RunChanges } from '../run-changes.ts';
import type { KeyWork } from '../work-queue.ts';

/** What work of all kinds is done with. */
export interface WorkDeps {
  readonly store: Store;
  readonly offers: OfferSource;
  readonly context: () => RunContext;
  /** Sets or clears the alarm of a key; one that is due by now puts the key into work. */
  readonly arm: (kind: ScheduledKind | 'placement', id: string, at: number | null) => void;
  /** Puts a key into work on this server only. */
  readonly wake: (signal: Signal) => void;
  readonly changes: RunChanges;
  readonly quota: LogQuota;
  /** Carries out the effect announced under a key; see `effects/`. */
  readonly effect: KeyWork;
  /** False: another server carries the effect out, and has received its signal too. */
  readonly effectIsOurs: (key: string) => Promise<boolean>;
  /** Observations ask these, and open the links to agents that can be reached. */
  readonly backends: ObservationDeps['backends'];
  readonly links: ObservationDeps['links'];
  readonly hosts: VolumeObservationDeps['hosts'];
  readonly observer: LoopObserver | null;
  readonly log: Logger;
}

/** All that one kind of work is: the table of all kinds is in `index.ts`. */
export interface WorkDescriptor<K extends WorkKind = WorkKind> {
  readonly kind: K;
  /** How many keys are worked on at a time, per queue. */
  readonly queues: Readonly<Record<string, number>>;
  /** The queue for a key, where there are several. */
  readonly queueOf?: (key: string) => string;
  /** The lease that a server needs; null = several may work on one key, since nothing is written. */
  readonly lease: LeasedKind | null;
  /** Records whose `nextPassAt` the sweep looks at; null = this work has none. */
  readonly schedule: ScheduledKind | null;
  /** False: another server does it. Not given: whoever is first. */
  readonly isOurs?: (deps: WorkDeps, key: string) => Promise<boolean>;
  readonly work: (deps: WorkDeps) => KeyWork;
}
