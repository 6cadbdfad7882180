/** More than a server keeps of a service. */
const KEPT = 4096;

/** The records that were received last, for a stream that repeats some of them after it was opened again. */
export class RecentRecords {
  readonly #known = new Set<string>();

  /** Without those that came before. Records are equal if all of their content is. */
  newOnes<T>(records: readonly T[]): T[] {
    const fresh = records.filter((record) => !this.#known.has(JSON.stringify(record)));
    for (const record of fresh) this.#known.add(JSON.stringify(record));
    for (const oldest of this.#known) {
      if (this.#known.size <= KEPT) break;
      this.#known.delete(oldest);
    }
    return fresh;
  }
}
