import type { LogTime } from '@dstack/client';
import { LineTimes } from '../../data/logs/line-times.ts';
import { type AnsiStyle, PLAIN, styleAfter } from './ansi.ts';

/** A line of output. */
export interface LogLine {
  /** Rises by one from line to line; lines in front of the first one have negative numbers. */
  readonly id: number;
  /** The printed text, with the colours. If a line was redrawn (`\r`), it is the last drawing. */
  readonly text: string;
  /** The style at the beginning of the line. */
  readonly style: AnsiStyle;
  /** Where the line begins in the output, in bytes. */
  readonly offset: number;
  /** When the end of the line was printed, in milliseconds since the epoch; null if unknown. */
  readonly time: number | null;
  /** Not printed by the job: it reports missing output. */
  readonly isNote: boolean;
}

/** Longer lines are continued in a further line. */
const MAX_LINE_BYTES = 256 * 1024;
const NEWLINE = 10;
const RETURN = 13;

/** Cuts output into lines as it arrives. The last line may still grow: see {@link openLine}. */
export class LogLineReader {
  readonly #decoder = new TextDecoder();
  readonly #times = new LineTimes();
  #rest = new Uint8Array(0);
  #offset: number;
  #style: AnsiStyle = PLAIN;
  #nextId = 0;

  /** `offset`: where the output begins, in bytes. */
  constructor(offset = 0) {
    this.#offset = offset;
  }

  /** Where the bytes that belong to no complete line begin. */
  get offset(): number {
    return this.#offset;
  }

  /** The lines that the bytes complete. `times`: of these bytes, as far as they are known. */
  read(bytes: Uint8Array, times: readonly LogTime[] = []): LogLine[] {
    this.#times.add(times);
    const data = joined(this.#rest, bytes);
    const lines: LogLine[] = [];
    let from = 0;
    for (;;) {
      const found = data.indexOf(NEWLINE, from);
      const limit = from + MAX_LINE_BYTES;
      if (found >= 0 && found < limit) {
        lines.push(this.#take(data, from, found, 1));
        from = found + 1;
      } else if (data.length >= limit) {
        lines.push(this.#take(data, from, limit, 0));
        from = limit;
      } else {
        break;
      }
    }
    this.#rest = data.slice(from);
    return lines;
  }

  /** A line about output that is missing up to `offset`. */
  skipTo(offset: number): LogLine {
    const lost = offset - this.#offset - this.#rest.length;
    this.#rest = new Uint8Array(0);
    this.#offset = offset;
    return this.#line(`${lost} bytes of output were lost here`, null);
  }

  /** The output since the last complete line; null: there is none. */
  openLine(): LogLine | null {
    if (this.#rest.length === 0) return null;
    const time = this.#times.of(this.#offset + this.#rest.length - 1);
    const line = this.#line(lastDrawing(this.#decoder.decode(this.#rest)), time, false);
    this.#nextId -= 1;
    return line;
  }

  #take(data: Uint8Array, from: number, to: number, newline: number): LogLine {
    const end = data[to - 1] === RETURN && to > from ? to - 1 : to;
    const whole = this.#decoder.decode(data.subarray(from, end));
    const time = this.#times.of(this.#offset + (to - from) + newline - 1);
    const line = this.#line(lastDrawing(whole), time, false);
    this.#style = styleAfter(whole, this.#style);
    this.#offset += to - from + newline;
    return line;
  }

  #line(text: string, time: number | null, isNote = true): LogLine {
    const id = this.#nextId;
    this.#nextId += 1;
    return { id, text, style: this.#style, offset: this.#offset, time, isNote };
  }
}

/** The last drawing of a line that was drawn several times, as progress bars are: it alone stays visible. */
function lastDrawing(text: string): string {
  if (!text.includes('\r')) return text;
  return text.split('\r').findLast((drawing) => drawing !== '') ?? '';
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length === 0) return b;
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
