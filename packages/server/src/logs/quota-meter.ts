import type { EventRecord } from './event-cutter.ts';
import { type EventSource, firstAfter } from './event-page.ts';

const HOUR_MICROS = 3_600_000_000;

/**
 * Counts the text of a job's events per hour of its life (hours since its first event, like the
 * quota of dstack 0.22.5) and reports once when an hour exceeds the limit.
 */
export class QuotaMeter {
  readonly #limit: number;
  #firstTime: number | null = null;
  #hour = 0;
  /** Text before the current hour. */
  #base = 0;
  #total = 0;
  #reported = false;

  /** `limit` in bytes; 0 = none. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Continues a stream that already has events. */
  async resume(source: EventSource): Promise<void> {
    if (this.#limit === 0 || source.count === 0) return;
    const [first] = await source.records(0, 1);
    const [last] = await source.records(source.count - 1, 1);
    if (!first || !last) return;
    this.#firstTime = first.time;
    this.#hour = hourOf(last, first.time);
    this.#total = last.totalText;
    const start = await firstAfter(source, first.time + this.#hour * HOUR_MICROS - 1);
    const [before] = start > 0 ? await source.records(start - 1, 1) : [];
    this.#base = before?.totalText ?? 0;
  }

  /** Returns the bytes of the hour when the limit was exceeded for the first time. */
  count(events: readonly EventRecord[]): number | null {
    if (this.#limit === 0) return null;
    for (const event of events) {
      this.#firstTime ??= event.time;
      const hour = hourOf(event, this.#firstTime);
      if (hour !== this.#hour) {
        this.#hour = hour;
        this.#base = this.#total;
      }
      this.#total = event.totalText;
      if (this.#reported || this.#total - this.#base <= this.#limit) continue;
      this.#reported = true;
      return this.#total - this.#base;
    }
    return null;
  }
}

function hourOf(event: EventRecord, firstTime: number): number {
  return Math.floor((event.time - firstTime) / HOUR_MICROS);
}
