import type { RunName } from './use-stop-runs.ts';

/** Runs of which the stop can still be undone. */
export interface DelayedStop {
  readonly runs: readonly (RunName & { readonly id: string })[];
  /** ms; then the server is asked. */
  readonly at: number;
}

export interface DelayedStopsOptions {
  /** `isLate`: the time to undo it has passed, in which the runs may have ended. */
  readonly send: (runs: DelayedStop['runs'], isLate: boolean) => Promise<void>;
  /** A stop was not accepted. */
  readonly onFailure: (runs: DelayedStop['runs'], error: unknown) => void;
  readonly now: () => number;
  /** Returns what cancels it. */
  readonly after: (ms: number, run: () => void) => () => void;
}

/** How long a stop can be undone. */
export const UNDO_MS = 5000;

/** Stops that are sent a moment later, unless they are undone. Each is sent or undone exactly once. */
export class DelayedStops {
  readonly #options: DelayedStopsOptions;
  readonly #waiting = new Map<DelayedStop, () => void>();
  readonly #listeners = new Set<() => void>();
  #all: readonly DelayedStop[] = [];

  constructor(options: DelayedStopsOptions) {
    this.#options = options;
  }

  /** Those that were not sent yet; the same array until one changes. */
  readonly all = (): readonly DelayedStop[] => this.#all;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  add(runs: DelayedStop['runs']): DelayedStop {
    const stop = { runs, at: this.#options.now() + UNDO_MS };
    const cancel = this.#options.after(UNDO_MS, () => void this.#send(stop, true));
    this.#waiting.set(stop, cancel);
    this.#changed();
    return stop;
  }

  /** False: it was sent already. */
  undo(stop: DelayedStop): boolean {
    return this.#take(stop);
  }

  /** Sends all at once: the page is left. */
  async flush(): Promise<void> {
    await Promise.all([...this.#waiting.keys()].map((stop) => this.#send(stop, false)));
  }

  async #send(stop: DelayedStop, isLate: boolean): Promise<void> {
    if (!this.#take(stop)) return;
    try {
      await this.#options.send(stop.runs, isLate);
    } catch (error) {
      this.#options.onFailure(stop.runs, error);
    }
  }

  #take(stop: DelayedStop): boolean {
    const cancel = this.#waiting.get(stop);
    if (cancel === undefined) return false;
    cancel();
    this.#waiting.delete(stop);
    this.#changed();
    return true;
  }

  #changed(): void {
    this.#all = [...this.#waiting.keys()];
    for (const listener of this.#listeners) listener();
  }
}
