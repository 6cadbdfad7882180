import type { Id, NewEvent, Signal } from '@dstack/core';
import type { Transaction } from 'kysely';
import type { StoreLogger } from '../base/logger.ts';
import type { AccessSubject, RecordChange } from '../changes/types.ts';
import type { DB } from '../schema/db.ts';

/** Announcements of a transaction to other servers. */
export interface Announcement {
  readonly signals: readonly Signal[];
  readonly events: readonly NewEvent[];
  readonly access: readonly AccessSubject[];
  readonly changes: readonly RecordChange[];
}

/** Short messages to the other servers of the database; one that is lost is not sent again. */
export interface Peers {
  /** Texts of up to 7,900 bytes. */
  send(texts: readonly string[]): void;
  /** Receives the messages of other servers. Returns the function that ends it. */
  subscribe(listener: (text: string) => void): () => void;
}

export interface CountedPeers extends Peers {
  /** How many other servers receive messages now; one that has been cut off may count for a while. */
  others(): Promise<number>;
}

/**
 * Notifies the other servers on the database that more of a log is stored; the name is opaque. This
 * server's own notifications are not delivered to itself. Lost ones do no harm: readers check again
 * by themselves.
 */
export interface LogSignals {
  announce(stream: string): void;
  subscribe(listener: (stream: string) => void): () => void;
}

/** Carries signals to every server on the database, this one included. */
export interface Bus {
  readonly peers: CountedPeers;
  subscribe(listener: (signal: Signal) => void, missed: () => void): () => void;
  /** Called inside the transaction: for other servers, delivered by its commit. */
  announce(tx: Transaction<DB>, announcement: Announcement): Promise<void>;
  /** Called after the commit: for this server. */
  deliver(signals: readonly Signal[]): void;
  deliverAccess(subjects: readonly AccessSubject[]): void;
  /** Changes made by any server; null: some may have been lost. */
  onAccessChanged(listener: AccessListener): () => void;
  deliverChanges(changes: readonly RecordChange[]): void;
  /** To other servers, outside of a transaction: for progress that is out of date soon. */
  announceProgress(changes: readonly RecordChange[]): void;
  /** Changes made by any server; null: some may have been lost. */
  onChanges(listener: ChangesListener): () => void;
  /** Another server has written events about this run; null: about no run, or some were lost. */
  onEventsElsewhere(listener: (runId: Id | null) => void): () => void;
  readonly logs: LogSignals;
  close(): Promise<void>;
}

export type ChangesListener = (changes: readonly RecordChange[] | null) => void;

export type AccessListener = (subject: AccessSubject | null) => void;

interface Subscriber {
  readonly listener: (signal: Signal) => void;
  readonly missed: () => void;
}

/** Passes signals to the listeners of this process; one that throws does not stop the others. */
export class Subscribers {
  readonly #subscribers = new Set<Subscriber>();
  readonly #logger: StoreLogger;

  constructor(logger: StoreLogger) {
    this.#logger = logger;
  }

  add(listener: (signal: Signal) => void, missed: () => void): () => void {
    const subscriber = { listener, missed };
    this.#subscribers.add(subscriber);
    return () => this.#subscribers.delete(subscriber);
  }

  deliver(signals: readonly Signal[]): void {
    for (const signal of signals) this.#call((subscriber) => subscriber.listener(signal));
  }

  missed(): void {
    this.#call((subscriber) => subscriber.missed());
  }

  #call(action: (subscriber: Subscriber) => void): void {
    for (const subscriber of this.#subscribers) {
      try {
        action(subscriber);
      } catch (error) {
        this.#logger.error({ err: error }, 'a signal listener failed');
      }
    }
  }
}

/** Listeners for values of one type; one that throws does not stop the others. */
export class Listeners<T> {
  readonly #listeners = new Set<(value: T) => void>();
  readonly #logger: StoreLogger;

  constructor(logger: StoreLogger) {
    this.#logger = logger;
  }

  add(listener: (value: T) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  notify(values: readonly T[]): void {
    for (const value of values) {
      for (const listener of this.#listeners) {
        try {
          listener(value);
        } catch (error) {
          this.#logger.error({ err: error }, 'a listener failed');
        }
      }
    }
  }
}

/** For a single server, which has no others to announce to. */
export function localBus(logger: StoreLogger): Bus {
  const subscribers = new Subscribers(logger);
  const access = new Listeners<AccessSubject | null>(logger);
  const changes = new Listeners<readonly RecordChange[] | null>(logger);
  return {
    subscribe: (listener, missed) => subscribers.add(listener, missed),
    announce: async () => {},
    deliver: (signals) => subscribers.deliver(signals),
    deliverAccess: (subjects) => access.notify(subjects),
    onAccessChanged: (listener) => access.add(listener),
    deliverChanges: (changed) => {
      if (changed.length > 0) changes.notify([changed]);
    },
    announceProgress: () => {},
    onChanges: (listener) => changes.add(listener),
    onEventsElsewhere: () => () => {},
    peers: { send: () => {}, subscribe: () => () => {}, others: async () => 0 },
    logs: { announce: () => {}, subscribe: () => () => {} },
    close: async () => {},
  };
}
