import type { LogTime } from '@dstack/client';
import { LineTimes } from './line-times.ts';

/** `2026-11-27T08:15:00.123Z `, before each line. */
const STAMP_BYTES = 25;
/** A longer line gets the time of its beginning instead of its end. */
const MAX_WAITING_BYTES = 256 * 1024;
const NEWLINE = 10;

/** Puts before each line of output when its end was printed, as `dstack logs --timestamps` does. */
export class StampedLines {
  readonly #times = new LineTimes();
  readonly #encoder = new TextEncoder();
  /** The beginning of a line without its end. */
  #waiting = new Uint8Array(0);
  /** The place of the first waiting byte in the output, in bytes. */
  #offset = 0;
  #isInLine = false;
  #last: { readonly time: number | null; readonly stamp: Uint8Array } | null = null;

  /** The lines that are complete after these bytes, which begin where the last ones ended. */
  add(bytes: Uint8Array, times: readonly LogTime[]): Uint8Array<ArrayBuffer> {
    this.#times.add(times);
    const data = new Uint8Array(this.#waiting.length + bytes.length);
    data.set(this.#waiting);
    data.set(bytes, this.#waiting.length);
    const ends: number[] = [];
    for (let at = data.indexOf(NEWLINE); at >= 0; at = data.indexOf(NEWLINE, at + 1)) {
      ends.push(at + 1);
    }
    const complete = ends.at(-1) ?? 0;
    const isLong = data.length - complete > MAX_WAITING_BYTES;
    if (isLong || (this.#isInLine && ends.length === 0)) ends.push(data.length);
    return this.#stamped(data, ends, complete);
  }

  /** The last line, if it has no end. */
  rest(): Uint8Array<ArrayBuffer> {
    const { length } = this.#waiting;
    return this.#stamped(this.#waiting, length === 0 ? [] : [length], length);
  }

  /** The parts of `data` with these ends. The last one is a line only if it ends at `complete`. */
  #stamped(data: Uint8Array, ends: readonly number[], complete: number): Uint8Array<ArrayBuffer> {
    const end = ends.at(-1) ?? 0;
    const out = new Uint8Array(end + ends.length * STAMP_BYTES);
    let from = 0;
    let to = 0;
    for (const lineEnd of ends) {
      if (!this.#isInLine) {
        out.set(this.#stampAt(this.#offset + lineEnd - 1), to);
        to += STAMP_BYTES;
      }
      out.set(data.subarray(from, lineEnd), to);
      to += lineEnd - from;
      from = lineEnd;
      this.#isInLine = lineEnd > complete;
    }
    this.#offset += end;
    this.#waiting = data.slice(end);
    return out.subarray(0, to);
  }

  #stampAt(offset: number): Uint8Array {
    const time = this.#times.of(offset);
    if (this.#last === null || this.#last.time !== time) {
      const text = time === null ? '' : new Date(time).toISOString();
      this.#last = { time, stamp: this.#encoder.encode(text.padEnd(STAMP_BYTES)) };
    }
    return this.#last.stamp;
  }
}
