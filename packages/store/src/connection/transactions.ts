import type { NewEvent, Signal } from '@dstack/core';
import type { AccessSubject } from '../access/types.ts';
import type { Db, Tx, Write } from '../context.ts';
import type { WriteExtras } from '../writes.ts';
import type { Bus } from './bus.ts';
import { isContention } from './failures.ts';

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
  readonly recordEvents: (tx: Tx, events: readonly NewEvent[]) => Promise<void>;
  /** After a commit with events. */
  readonly eventsWritten: () => void;
}

export function createTransactions(options: TransactionOptions) {
  return {
    read<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
      const transaction = options.db.transaction();
      // SQLite has one connection, so its holder reads one moment anyway.
      if (!options.postgres) return transaction.execute(work);
      return transaction
        .setIsolationLevel('repeatable read')
        .setAccessMode('read only')
        .execute(work);
    },

    async write<T>(work: (write: Write) => Promise<T>): Promise<T> {
      for (let attempt = 1; ; attempt++) {
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
  const result = await options.db.transaction().execute(async (tx) => {
    const answer = await work({
      tx,
      add(extras: WriteExtras | undefined) {
        if (extras?.events) events.push(...extras.events);
        if (extras?.signals) signals.push(...extras.signals);
      },
      accessChanged(subjects) {
        access.push(...subjects);
      },
      abort(value: unknown): never {
        throw new Abort(value);
      },
    });
    await options.recordEvents(tx, events);
    await options.bus.announce(tx, { signals, events, access });
    return answer;
  });
  options.bus.deliver(signals);
  options.bus.deliverAccess(access);
  if (events.length > 0) options.eventsWritten();
  return result;
}
