/** Records of one kind in a draft. */
import type { Id } from '../model/index.ts';

export interface Row {
  readonly id: Id;
  readonly version: number;
}

/** Parts are plain JSON values or small arrays and maps of them, so their texts can be compared. */
function same(a: unknown, b: unknown): boolean {
  return Object.is(a, b) || JSON.stringify(a) === JSON.stringify(b);
}

/** Records of one kind: as they were loaded, and as the pass has changed them. */
export class DraftTable<R extends Row> {
  #loaded = new Map<Id, R>();
  #rows = new Map<Id, R>();
  #guarded = new Set<Id>();
  #touched: () => void;

  constructor(rows: readonly R[], touched: () => void) {
    for (const row of rows) {
      this.#loaded.set(row.id, row);
      this.#rows.set(row.id, row);
    }
    this.#touched = touched;
  }

  /** A record of the snapshot that the pass is about to change; known ones stay as they are. */
  load(row: R): void {
    if (this.#loaded.has(row.id) || this.#rows.has(row.id)) return;
    this.#loaded.set(row.id, row);
    this.#rows.set(row.id, row);
  }

  get(id: Id | null): R | null {
    return id === null ? null : (this.#rows.get(id) ?? null);
  }

  all(): R[] {
    return [...this.#rows.values()];
  }

  /** Returns the record with the patch. Equal values are no change. */
  set(row: R, patch: Partial<R>): R {
    const now = this.#rows.get(row.id) ?? row;
    const next = { ...now, ...patch };
    const keys = Object.keys(patch) as (keyof R)[];
    if (keys.every((key) => same(now[key], next[key]))) return now;
    this.#rows.set(row.id, next);
    this.#touched();
    return next;
  }

  insert(row: R): R {
    this.#rows.set(row.id, row);
    this.#touched();
    return row;
  }

  delete(row: R): void {
    this.#rows.delete(row.id);
    this.#touched();
  }

  /** The pass relies on this row: a concurrent write makes the pass run again. */
  guard(id: Id): void {
    this.#guarded.add(id);
  }

  inserted(): R[] {
    return this.all().filter((row) => !this.#loaded.has(row.id));
  }

  deleted(): R[] {
    return [...this.#loaded.values()].filter((row) => !this.#rows.has(row.id));
  }

  /** Loaded records that the pass has changed, with the changed fields. */
  updated(): { id: Id; version: number; set: Partial<R> }[] {
    const result: { id: Id; version: number; set: Partial<R> }[] = [];
    for (const [id, before] of this.#loaded) {
      const after = this.#rows.get(id);
      if (after === undefined || (after === before && !this.#guarded.has(id))) continue;
      const keys = (Object.keys(after) as (keyof R)[]).filter((k) => !same(before[k], after[k]));
      if (keys.length === 0 && !this.#guarded.has(id)) continue;
      const set: Partial<R> = {};
      for (const key of keys) set[key] = after[key];
      result.push({ id, version: before.version, set });
    }
    return result;
  }
}
