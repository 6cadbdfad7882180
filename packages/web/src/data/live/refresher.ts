import type { QueryClient, QueryKey } from '@tanstack/react-query';

/** Between two requests for the same data, in ms. */
const PACE_MS = 300;

/**
 * Asks for outdated data again: at once, and then with pauses, as a record that changes all the time
 * would otherwise be asked for with each change.
 */
export class Refresher {
  readonly #cache: QueryClient;
  readonly #later: (run: () => void) => void;
  readonly #pausing = new Map<string, { isOutdated: boolean }>();

  constructor(
    cache: QueryClient,
    later: (run: () => void) => void = (run) => setTimeout(run, PACE_MS),
  ) {
    this.#cache = cache;
    this.#later = later;
  }

  refresh(queryKey: QueryKey): void {
    const id = JSON.stringify(queryKey);
    const pause = this.#pausing.get(id);
    if (pause !== undefined) {
      pause.isOutdated = true;
      return;
    }
    const begun = { isOutdated: false };
    this.#pausing.set(id, begun);
    void this.#cache.invalidateQueries({ queryKey });
    this.#later(() => {
      this.#pausing.delete(id);
      if (begun.isOutdated) this.refresh(queryKey);
    });
  }
}
