import type { Id } from '@dstack/core';
import type { Kysely } from 'kysely';
import { parseKeyList, type VersionedKey } from '../base/key-list.ts';
import { forIds } from '../base/query.ts';
import type { DB } from '../schema/db.ts';

/** The parts of the result of `table()` that are used here. */
interface VersionedTable<R> {
  readonly name: string;
  decode(row: object): R;
}

interface Kept {
  readonly record: VersionedKey;
  readonly size: number;
}

interface List {
  readonly keys: string | null;
  readonly records: readonly VersionedKey[];
}

/** Fleets in use at a time; each list is as long as its fleet. */
const MOST_LISTS = 200;

/** Characters of row text; a decoded record with its derived data takes some five times that. */
const LIMIT = 12 * 1024 * 1024;

/** Rows that are read and decoded within a few milliseconds. */
const WIDE_SLICE = 512;

/**
 * Decoded records of wide rows, by id and version. A query then reads only keys, and whole rows
 * only of changed records: reading and decoding the JSON of a thousand instances for each list and
 * plan would be most of the work. The version makes this correct with any number of servers on one
 * database: nothing has to be invalidated. Records are frozen, because many readers share them.
 *
 * They must not be read here in a transaction that has already written: its writes may be rolled
 * back and their versions be reused by another.
 */
export class RecordCache {
  readonly #kept = new Map<Id, Kept>();
  readonly #lists = new Map<string, List>();
  readonly #limit: number;
  #size = 0;

  constructor(limit: number = LIMIT) {
    this.#limit = limit;
  }

  /** In the order of the keys; without rows that have been deleted since. */
  async read<R extends VersionedKey>(
    db: Kysely<DB>,
    table: VersionedTable<R>,
    keys: readonly VersionedKey[],
  ): Promise<R[]> {
    const found = new Map<Id, R>();
    const absent: Id[] = [];
    for (const key of keys) {
      const record = this.#get<R>(key);
      if (record) found.set(key.id, record);
      else absent.push(key.id);
    }
    const load = async (slice: Id[]) => {
      // The tables differ in type only.
      const rows = db
        .selectFrom(table.name as 'runs')
        .selectAll()
        .where('id', 'in', slice);
      for (const row of await rows.execute()) {
        const record = freeze(table.decode(row));
        found.set(record.id, record);
        this.#keep(record, textOf(row));
      }
      return [];
    };
    await forIds(absent, load, WIDE_SLICE);
    return keys.flatMap(({ id }) => found.get(id) ?? []);
  }

  /**
   * The records of a list of keys (`keyList`), as one text. `name`: of the list; while its keys are the
   * same, so are its records, and nothing is looked up.
   */
  async readList<R extends VersionedKey>(
    db: Kysely<DB>,
    table: VersionedTable<R>,
    name: string,
    keys: string | null,
  ): Promise<readonly R[]> {
    const known = this.#lists.get(name);
    if (known && known.keys === keys) return known.records as readonly R[];
    const list = parseKeyList(keys);
    const records = await this.read(db, table, list);
    this.#lists.delete(name);
    // A row may have been deleted between the two reads.
    if (records.length === list.length) this.#lists.set(name, { keys, records });
    for (const [oldest] of this.#lists) {
      if (this.#lists.size <= MOST_LISTS) break;
      this.#lists.delete(oldest);
    }
    return records;
  }

  #get<R>({ id, version }: VersionedKey): R | null {
    const kept = this.#kept.get(id);
    if (kept?.record.version !== version) return null;
    // The first of the map is the least recently used. While there is much room nothing will be
    // evicted, and the order can wait.
    if (this.#size > this.#limit / 2) {
      this.#kept.delete(id);
      this.#kept.set(id, kept);
    }
    return kept.record as R;
  }

  /** A reader of an older moment does not replace a newer record. */
  #keep(record: VersionedKey, size: number): void {
    const known = this.#kept.get(record.id);
    if (known && known.record.version > record.version) return;
    this.#forget(record.id);
    this.#kept.set(record.id, { record, size });
    this.#size += size;
    for (const [id] of this.#kept) {
      if (this.#size <= this.#limit) return;
      // They hold records too, also those that are forgotten here.
      this.#lists.clear();
      this.#forget(id);
    }
  }

  #forget(id: Id): void {
    this.#size -= this.#kept.get(id)?.size ?? 0;
    this.#kept.delete(id);
  }
}

function textOf(row: object): number {
  let size = 0;
  for (const value of Object.values(row)) size += typeof value === 'string' ? value.length : 8;
  return size;
}

function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const part of Object.values(value)) freeze(part);
  return Object.freeze(value);
}
