import type { Id } from '@dstack/core';

/**
 * Notifies listeners which runs may have changed, after each of their passes. Everything that a
 * client sees of a run changes in a pass or just before one, except the progress of a pull (`Store.changes`
 * announces it), so watchers need no polling. Only a hint: it may come without a change.
 */
export class RunChanges {
  readonly #watchers = new Map<Id, Set<() => void>>();
  readonly #listeners = new Set<(runId: Id) => void>();

  emit(runId: Id): void {
    for (const notify of this.#listeners) notify(runId);
    for (const notify of this.#watchers.get(runId) ?? []) notify();
  }

  /** Called for all runs. */
  listen(notify: (runId: Id) => void): void {
    this.#listeners.add(notify);
  }

  /** Returns the function that removes the listener. */
  watch(runId: Id, notify: () => void): () => void {
    const watchers = this.#watchers.get(runId) ?? new Set();
    this.#watchers.set(runId, watchers.add(notify));
    return () => {
      watchers.delete(notify);
      if (watchers.size === 0) this.#watchers.delete(runId);
    };
  }
}
