import type { LogNews } from './log-store.ts';

/** The listeners of each stream. */
export class Followers {
  readonly #byJob = new Map<string, Set<(news: LogNews) => void>>();

  add(jobId: string, listener: (news: LogNews) => void): () => void {
    const set = this.#byJob.get(jobId) ?? new Set();
    this.#byJob.set(jobId, set);
    // A separate function per call: the same listener may follow twice.
    const own = (news: LogNews) => listener(news);
    set.add(own);
    return () => {
      set.delete(own);
      if (set.size === 0 && this.#byJob.get(jobId) === set) this.#byJob.delete(jobId);
    };
  }

  has(jobId: string): boolean {
    return this.#byJob.has(jobId);
  }

  notify(jobId: string, news: LogNews): void {
    for (const listener of this.#byJob.get(jobId) ?? []) listener(news);
  }
}
