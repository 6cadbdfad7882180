import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { parseDatabaseUrl } from '../connection/url.ts';
import { INTERNAL } from '../engine/changed-records.ts';
import { gatewayTable, volumeTable } from '../schema/resource-tables.ts';
import { fleetTable, instanceTable, jobTable, runTable } from '../schema/work-tables.ts';
import type { Store } from '../store.ts';

const KINDS = {
  run: runTable,
  job: jobTable,
  instance: instanceTable,
  fleet: fleetTable,
  volume: volumeTable,
  gateway: gatewayTable,
};

/** Columns that are written without any notification. */
const SILENT: ReadonlySet<string> = new Set([
  ...[...INTERNAL].map((field) =>
    field.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
  ),
  'version',
  'inactivity_secs',
]);

/**
 * Triggers (SQLite) that list the records that a test changes. With `ChangeGuard`, every test of this
 * package checks that no write forgets to announce its change.
 */
export function changeTriggers(): string[] {
  const tables = Object.entries(KINDS).flatMap(([kind, { name, columns }]) => {
    const visible = columns.filter((column) => !SILENT.has(column));
    const differs = visible.map((column) => `new.${column} is not old.${column}`).join(' or ');
    const note = (row: string) => `insert into changed_records values ('${kind}', ${row}.id)`;
    return [
      `create trigger ${name}_i after insert on ${name} begin ${note('new')}; end`,
      `create trigger ${name}_d after delete on ${name} begin ${note('old')}; end`,
      `create trigger ${name}_u after update on ${name} when ${differs} begin ${note('new')}; end`,
    ];
  });
  return ['create table changed_records (kind text, id text)', ...tables];
}

/** Compares the announced changes of the stores of a database with the rows that changed. */
export class ChangeGuard {
  readonly #url: string;
  /** Up to which row of the list the changes of a record are announced. */
  readonly #announced = new Map<string, number>();
  /** Rows from before a store was opened may be those of another program. */
  #before = 0;
  #reader: DatabaseSync | null = null;

  constructor(url: string) {
    this.#url = url;
  }

  watch(store: Store): void {
    this.#before = this.#last();
    store.changes.subscribe(
      (changes) => {
        const last = this.#last();
        for (const { kind, id } of changes) this.#announced.set(`${kind} ${id}`, last);
      },
      () => {},
    );
  }

  /** Kinds and ids of changed records that were not announced afterwards. */
  missing(): string[] {
    const rows = this.#read(
      'select max(rowid) as row, kind, id from changed_records group by 2, 3',
    );
    this.#reader?.close();
    this.#reader = null;
    return rows.flatMap(({ row, kind, id }) => {
      const key = `${kind} ${id}`;
      return Number(row) > Math.max(this.#announced.get(key) ?? 0, this.#before) ? [key] : [];
    });
  }

  #last(): number {
    return Number(this.#read('select max(rowid) as last from changed_records')[0]?.last ?? 0);
  }

  /** In WAL mode, reading on a connection of its own neither waits nor blocks. */
  #read(statement: string): Record<string, unknown>[] {
    const url = parseDatabaseUrl(this.#url);
    if (url.dialect !== 'sqlite' || !existsSync(url.path)) return [];
    this.#reader ??= new DatabaseSync(url.path, { readOnly: true });
    const tables = "select 1 from sqlite_master where name = 'changed_records'";
    // A test may begin with an empty database, without triggers.
    if (this.#reader.prepare(tables).all().length === 0) return [];
    return this.#reader.prepare(statement).all();
  }
}
