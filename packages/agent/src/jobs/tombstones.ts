import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { writeWhole } from '../host/durable-file.ts';

/**
 * The most ids; the oldest are dropped first. About 6 MB on disk. A host that ends a job every second has
 * them for a day: far longer than any order about one of them can be delayed.
 */
const MOST = 100_000;
/** The file is written anew when it has this many lines more than twice the ids that are kept. */
const SLACK_LINES = 1000;

/**
 * The ids of deleted jobs, so that a late order does not start one of them again. Only the id and the
 * time of its deletion are kept, in memory and in one file with a line for each. They are bounded by
 * their number alone: by the wall clock, a step forward would drop all of them at once.
 */
export class Tombstones {
  readonly #path: string;
  readonly #limit: number;
  /** Milliseconds since the epoch of the deletion, which only earlier agents read; the oldest first. */
  readonly #deletedAt = new Map<string, number>();
  #lines = 0;

  constructor(path: string, limit = MOST) {
    this.#path = path;
    this.#limit = limit;
    for (const line of existsSync(path) ? readFileSync(path, 'utf8').split('\n') : []) {
      const [id, at] = line.split(' ');
      // A crash may have cut the last line, and two ids can share a line then.
      if (id !== undefined && id.length === 36 && Number(at) > 0)
        this.#deletedAt.set(id, Number(at));
      this.#lines += 1;
    }
    this.#expire();
  }

  get size(): number {
    return this.#deletedAt.size;
  }

  has(id: string): boolean {
    return this.#deletedAt.has(id);
  }

  /** Throws if the disk takes nothing; the id is not kept then. */
  add(id: string, deletedAt: number): void {
    // Begins with a line break, which ends a line that a crash has cut.
    appendFileSync(this.#path, `\n${id} ${deletedAt}`, { mode: 0o600 });
    this.#lines += 1;
    this.#deletedAt.delete(id);
    this.#deletedAt.set(id, deletedAt);
    this.#expire();
    if (this.#lines > 2 * this.#deletedAt.size + SLACK_LINES) this.#rewrite();
  }

  #expire(): void {
    for (const id of this.#deletedAt.keys()) {
      if (this.#deletedAt.size <= this.#limit) return;
      this.#deletedAt.delete(id);
    }
  }

  #rewrite(): void {
    const lines = [...this.#deletedAt].map(([id, at]) => `${id} ${at}`);
    writeWhole(this.#path, lines.join('\n'));
    this.#lines = lines.length;
  }
}
