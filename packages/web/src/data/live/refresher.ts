import type { QueryClient, QueryKey } from '@tanstack/react-query';

/** Between two requests for the same data, in ms. */
const PACE_MS = 300;

/** The queue and the board cost the server more than other answers. */
const SLOW_PACE_MS = 2000;

const paceOf = ([kind, part]: QueryKey): number =>
  kind === 'board' || part === 'queue' ? SLOW_PACE_MS : PACE_MS;

/**
 * Asks for outdated data again: at once, and then with pauses, as a record that changes all the time
 * would otherwise be asked for with each change. A hidden page asks when it is shown again.
 */
export class Refresher {
  readonly #cache: QueryClient;
  readonly #later: (run: () => void, ms: number) => void;
  readonly #isHidden: () => boolean;
  readonly #pausing = new Map<string, { isOutdated: boolean }>();
  /** The keys of queries that became outdated while the page was hidden. */
  readonly #postponed = new Map<string, QueryKey>();

  constructor(
    cache: QueryClient,
    // The function itself would be called as a method of this object, which browsers refuse.
    later: (run: () => void, ms: number) => void = (run, ms) => setTimeout(run, ms),
    isHidden: () => boolean = () => globalThis.document?.visibilityState === 'hidden',
  ) {
    this.#cache = cache;
    this.#later = later;
    this.#isHidden = isHidden;
  }

  /** The page is shown again. */
  resume(): void {
    const keys = [...this.#postponed.values()];
    this.#postponed.clear();
    for (const queryKey of keys) this.refresh(queryKey);
  }

  refresh(queryKey: QueryKey): void {
    const id = JSON.stringify(queryKey);
    if (this.#isHidden()) {
      this.#postponed.set(id, queryKey);
      return;
    }
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
    }, paceOf(queryKey));
  }
}
