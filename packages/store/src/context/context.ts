import type { Timestamp } from '@dstack/core';
import type { Kysely, Transaction } from 'kysely';
import type { Cipher } from '../base/cipher.ts';
import type { StoreLogger } from '../base/logger.ts';
import type { WriteExtras } from '../base/writes.ts';
import type { FleetIndexes } from '../caches/fleet-indexes.ts';
import type { PoolGpuPrices } from '../caches/gpu-prices.ts';
import type { RecordCache } from '../caches/record-cache.ts';
import type { AccessSubject, RecordChange } from '../changes/types.ts';
import type { Bus } from '../connection/bus.ts';
import type { DB } from '../schema/db.ts';

export type Db = Kysely<DB>;
export type Tx = Transaction<DB>;

/** A transaction that writes. */
export interface Write {
  readonly tx: Tx;
  /** Events and signals that go along if it commits. */
  add(extras: WriteExtras | undefined): void;
  /** Clients that watch these records are notified after the commit. */
  changed(...changes: readonly RecordChange[]): void;
  /** Open streams of these subjects are checked again after the commit. */
  accessChanged(subjects: readonly AccessSubject[]): void;
  /** Rolls back; `write` then returns this value. */
  abort(value: unknown): never;
}

/** A write among others: it cannot roll back what they wrote. */
export type GroupedWrite = Omit<Write, 'abort'>;

/** The dependencies of every query in this package. */
export interface StoreContext {
  readonly db: Db;
  readonly postgres: boolean;
  readonly bus: Bus;
  readonly cipher: Cipher;
  readonly logger: StoreLogger;
  readonly records: RecordCache;
  readonly fleetIndexes: FleetIndexes;
  readonly gpuPrices: PoolGpuPrices;
  /** Seconds in which half of what was used is forgotten. */
  readonly shareHalfLife: number;
  readonly now: () => Timestamp;
  /** Resolves once `now` is the time of the database; each write awaits it. */
  measured(): Promise<void>;
  /** Microseconds that no step of the host's clock moves. */
  readonly monotonic: () => number;
  readonly newId: () => string;
  /** Reads at one moment. */
  read<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /** One transaction; repeated if PostgreSQL aborts it in favour of another. */
  write<T>(work: (write: Write) => Promise<T>): Promise<T>;
  /** One transaction with other small writes, see `grouped-writes.ts`; resolves when it is stored. */
  writeGrouped<T>(work: (write: GroupedWrite) => Promise<T>): Promise<T>;
}
