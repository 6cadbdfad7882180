import { diskUsage } from './disk-usage.ts';

export interface UsageOptions {
  readonly now: () => number;
  readonly measure?: typeof diskUsage;
  readonly onError: (dir: string, error: unknown) => void;
}

interface Measured {
  bytes: number | null;
  /** Milliseconds; the time of the next measurement. */
  againAt: number;
  running: boolean;
}

const LEAST_DELAY_MS = 10 * 60_000;
/** A large directory is measured for at most this part of the time. */
const SHARE = 1 / 20;

/** The disk use of directories, measured in the background on request. */
export class VolumeUsage {
  readonly #options: UsageOptions;
  readonly #measured = new Map<string, Measured>();
  readonly #closed = new AbortController();

  constructor(options: UsageOptions) {
    this.#options = options;
  }

  /** The last figure; null = there is none yet. Never waits for a new one. */
  of(dir: string): number | null {
    const known = this.#measured.get(dir) ?? { bytes: null, againAt: 0, running: false };
    this.#measured.set(dir, known);
    if (!known.running && this.#options.now() >= known.againAt) void this.#measure(dir, known);
    return known.bytes;
  }

  forget(dir: string): void {
    this.#measured.delete(dir);
  }

  close(): void {
    this.#closed.abort();
  }

  async #measure(dir: string, known: Measured): Promise<void> {
    const { now, measure = diskUsage, onError } = this.#options;
    const begun = now();
    known.running = true;
    try {
      known.bytes = await measure(dir, this.#closed.signal);
    } catch (error) {
      if (!this.#closed.signal.aborted) onError(dir, error);
    } finally {
      const took = now() - begun;
      known.running = false;
      known.againAt = now() + Math.max(LEAST_DELAY_MS, took / SHARE);
    }
  }
}
