import type { Id } from '@dstack/core';

export interface ChangedRunsOptions {
  readonly send: (runId: Id) => Promise<void>;
  readonly onFailed: (runId: Id, error: unknown) => void;
}

/** Changes of one run within this time are sent once, in milliseconds. */
const SOON_MS = 10;

/** Runs that have changed since gateways were last sent changes. */
export class ChangedRuns {
  readonly #options: ChangedRunsOptions;
  readonly #changed = new Set<Id>();
  #timer: NodeJS.Timeout | null = null;

  constructor(options: ChangedRunsOptions) {
    this.#options = options;
  }

  add(runId: Id): void {
    this.#changed.add(runId);
    this.#timer ??= setTimeout(() => void this.#send(), SOON_MS);
  }

  close(): void {
    if (this.#timer) clearTimeout(this.#timer);
  }

  async #send(): Promise<void> {
    const { send, onFailed } = this.#options;
    this.#timer = null;
    const runs = [...this.#changed];
    this.#changed.clear();
    for (const runId of runs) {
      try {
        await send(runId);
      } catch (error) {
        onFailed(runId, error);
      }
    }
  }
}
