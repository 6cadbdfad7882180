import type { Id, NewEvent, Signal } from '@dstack/core';
import type { WriteExtras } from '../base/writes.ts';
import { recordChange } from '../changes/record-change.ts';
import type { AccessSubject, RecordChange } from '../changes/types.ts';
import type { Bus } from '../connection/bus.ts';
import { isAnswerLost, isContention } from '../connection/failures.ts';
import type { Db, Tx, Write } from './context.ts';

/** More attempts would only hide a fault. */
const MAX_TRIES = 5;

class Abort extends Error {
  readonly value: unknown;
  constructor(value: unknown) {
    super('transaction given up');
    this.value = value;
  }
}

export interface TransactionOptions {
  readonly db: Db;
  readonly postgres: boolean;
  readonly bus: Bus;
  /** Returns the ids of the events that were stored. */
  readonly recordEvents: (tx: Tx, events: readonly NewEvent[]) => Promise<readonly Id[]>;
  /** After a commit with events. */
  readonly eventsWritten: () => void;
  /** See `OpenStoreOptions`. */
  readonly measured?: (() => Promise<void>) | undefined;
}

export function createTransactions(options: TransactionOptions) {
  const measured = async () => await options.measured?.();
  return {
    read<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
      // SQLite has one connection: its holder reads one moment, also without a transaction.
      if (!options.postgres) return options.db.connection().execute((db) => work(db as Tx));
      return options.db
        .transaction()
        .setIsolationLevel('repeatable read')
        .setAccessMode('read only')
        .execute(work);
    },

    measured,

    async write<T>(work: (write: Write) => Promise<T>): Promise<T> {
      for (let attempt = 1; ; attempt++) {
        await measured();
        try {
          return await writeOnce(options, work);
        } catch (error) {
          if (error instanceof Abort) return error.value as T;
          if (!isContention(error) || attempt === MAX_TRIES) throw error;
        }
      }
    },
  };
}

async function writeOnce<T>(
  options: TransactionOptions,
  work: (write: Write) => Promise<T>,
): Promise<T> {
  const events: NewEvent[] = [];
  const signals: Signal[] = [];
  const access: AccessSubject[] = [];
  const changes: RecordChange[] = [];
  let isComplete = false;
  const deliver = () => {
    options.bus.deliver(signals);
    options.bus.deliverAccess(access);
    options.bus.deliverChanges(changes);
    if (events.length > 0) options.eventsWritten();
  };
  const transaction = options.db.transaction().execute(async (tx) => {
    const answer = await work({
      tx,
      add(extras: WriteExtras | undefined) {
        if (extras?.events) events.push(...extras.events);
        if (extras?.signals) signals.push(...extras.signals);
      },
      changed(...records) {
        changes.push(...records);
      },
      accessChanged(subjects) {
        access.push(...subjects);
      },
      abort(value: unknown): never {
        throw new Abort(value);
      },
    });
    const stored = await options.recordEvents(tx, events);
    changes.push(...stored.map((id) => recordChange('event', id)));
    await options.bus.announce(tx, { signals, events, access, changes });
    isComplete = true;
    return answer;
  });
  try {
    const result = await transaction;
    deliver();
    return result;
  } catch (error) {
    // The commit may have happened, and nothing else would signal the changes to this server. One of SQLite fails
    // after it has happened if it cannot be synced.
    if (isComplete && (!options.postgres || isAnswerLost(error))) deliver();
    throw error;
  }
}
