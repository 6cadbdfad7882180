import type { LogTime } from '@dstack/client';

/** The times of output that is read from its beginning to its end. */
export class LineTimes {
  #times: readonly LogTime[] = [];
  #at = 0;

  /** Times of the output after that of the earlier ones. */
  add(times: readonly LogTime[]): void {
    if (times.length === 0) return;
    this.#times = [...this.#times.slice(this.#at), ...times];
    this.#at = 0;
  }

  /**
   * When the byte at this offset was printed, in milliseconds; null if unknown. Offsets must not fall
   * from call to call.
   */
  of(offset: number): number | null {
    while ((this.#times[this.#at]?.end ?? Number.POSITIVE_INFINITY) <= offset) this.#at += 1;
    return this.#times[this.#at]?.time ?? null;
  }
}
