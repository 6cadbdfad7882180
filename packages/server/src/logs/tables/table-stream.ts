import type { LogPieceRecord, LogPieces } from '@dstack/store';
import {
  type CutterInput,
  type CutterState,
  cutEvents,
  cutterAfter,
  type EventRecord,
  LONGEST_WAIT_MICROS,
  SILENCE_MICROS,
  START,
} from '../event-cutter.ts';
import { readPage } from '../event-page.ts';
import { encodeEvents } from '../event-records.ts';
import type { LogPage, PollQuery } from '../log-page.ts';
import {
  type AppendResult,
  type LogPiece,
  type LogStatus,
  LogStoreError,
  type LogStreamRef,
} from '../log-store.ts';
import { QuotaMeter } from '../quota-meter.ts';
import { decodeMarks, encodeMarks, markOf, type RawMark } from '../raw-marks.ts';
import { Serial } from '../serial.ts';
import type { LogStream, StreamSetup } from '../stream-store.ts';
import { tableEvents } from './table-events.ts';

export interface TableStreamOptions extends StreamSetup {
  readonly ref: LogStreamRef;
  readonly tables: LogPieces;
  /** A piece was stored: other servers may read it. */
  readonly stored: () => void;
}

/**
 * A piece is written when there are this many bytes; otherwise at the next `sync`, `poll` or `end`.
 */
const MAX_WAITING_BYTES = 256 * 1024;
const MAX_WAITING_EVENTS = 4096;

/**
 * One stream as seen by one server. Appended bytes wait in memory until they are written as one
 * piece. Any server may read; the server with the link to the job's host writes, and detects by the
 * number of a piece that another server has taken over.
 */
export class TableStream implements LogStream {
  readonly #options: TableStreamOptions;
  readonly #serial = new Serial();
  #newest: LogPieceRecord | null = null;
  #cutter: CutterState = cutterAfter(START);
  #meter: QuotaMeter;
  #waiting: Uint8Array[] = [];
  #waitingStart = 0;
  #length = 0;
  #marks: RawMark[] = [];
  #events: EventRecord[] = [];
  #arrived: number;
  /** Whether this server wrote last; other servers only read. */
  #writer = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: TableStreamOptions) {
    this.#options = options;
    this.#meter = new QuotaMeter(options.quota);
    this.#arrived = options.now();
  }

  static async open(options: TableStreamOptions): Promise<TableStream> {
    const stream = new TableStream(options);
    await stream.#load(await stream.#fetch());
    return stream;
  }

  status(): Promise<LogStatus> {
    return this.#serial.run(async () => {
      await this.#refresh();
      const ended = this.#newest?.ended === true && this.#waiting.length === 0;
      return { length: this.#length, ended };
    });
  }

  append(offset: number, time: number, bytes: Uint8Array): Promise<AppendResult> {
    return this.#serial.run(async () => {
      // Written first: if the database refuses the piece, so does this stream.
      if (this.#full) await this.#store();
      const length = this.#length;
      if (offset > length) return { length, gapFrom: length };
      // A copy: the bytes are used longer than their message.
      const fresh = Buffer.from(bytes.subarray(length - offset));
      if (fresh.length === 0) return { length, gapFrom: null };
      this.#writer = true;
      this.#waiting.push(fresh);
      this.#marks.push(markOf(length, time, fresh));
      this.#length += fresh.length;
      this.#arrived = this.#options.now();
      this.#options.appended({ offset: length, bytes: fresh, time }, this.#length);
      this.#cut({ type: 'bytes', time, bytes: fresh });
      this.#watch();
      return { length: this.#length, gapFrom: null };
    });
  }

  skip(offset: number, time: number): Promise<number> {
    return this.#serial.run(async () => {
      if (offset <= this.#length) return this.#length;
      this.#writer = true;
      await this.#store();
      this.#cut({ type: 'lost', offset, time });
      this.#length = offset;
      this.#waitingStart = offset;
      await this.#store();
      return offset;
    });
  }

  /** Writes pending bytes; returns the stored length. */
  sync(): Promise<number> {
    return this.#serial.run(async () => {
      await this.#store();
      return this.#length;
    });
  }

  end(): Promise<number> {
    return this.#serial.run(async () => {
      await this.#refresh();
      if (this.#newest?.ended && this.#waiting.length === 0) return this.#length;
      this.#cut({ type: 'end' });
      await this.#store(true);
      return this.#length;
    });
  }

  async readRaw(from: number, max: number): Promise<LogPiece | null> {
    const { tables, ref } = this.#options;
    for (;;) {
      const waiting = this.#readWaiting(from, max);
      if (waiting) return waiting;
      const start = this.#waitingStart;
      const row = await tables.withOffset(ref.jobId, from);
      if (row && this.#isOurs(row)) {
        const offset = Math.max(from, row.startOffset);
        const at = offset - row.startOffset;
        return { offset, bytes: row.bytes.subarray(at, at + max) };
      }
      // A piece that was stored after the query has read the table is not in its answer.
      if (this.#waitingStart === start) return this.#readWaiting(from, max, true);
    }
  }

  async marks(from: number, to: number): Promise<readonly RawMark[]> {
    const { tables, ref } = this.#options;
    const marks: RawMark[] = [];
    for (let at = from; at < to; ) {
      if (at >= this.#waitingStart && this.#marks.length > 0) {
        marks.push(...this.#marks);
        break;
      }
      const row = await tables.withOffset(ref.jobId, at);
      if (!row || !this.#isOurs(row)) break;
      marks.push(...decodeMarks(Buffer.from(row.marks)));
      at = row.endOffset;
    }
    return marks.filter((mark) => mark.end > from && mark.end - mark.length < to);
  }

  async poll(query: PollQuery): Promise<LogPage> {
    const newest = await this.#serial.run(async () => {
      if (this.#writer) {
        this.#idle();
        await this.#store();
        return this.#newest;
      }
      return await this.#fetch();
    });
    return await readPage(
      tableEvents(this.#options.tables, this.#options.ref.jobId, newest),
      query,
    );
  }

  /** Stops the timer and writes pending bytes. */
  async close(): Promise<void> {
    await this.sync();
    clearTimeout(this.#timer);
  }

  /** Drops pending bytes, for a stream that is deleted. */
  abandon(): void {
    clearTimeout(this.#timer);
  }

  get #full(): boolean {
    return (
      this.#length - this.#waitingStart >= MAX_WAITING_BYTES ||
      this.#events.length >= MAX_WAITING_EVENTS
    );
  }

  #readWaiting(from: number, max: number, orLater = false): LogPiece | null {
    let at = this.#waitingStart;
    for (const bytes of this.#waiting) {
      const end = at + bytes.length;
      if (from < end && (from >= this.#waitingStart || orLater)) {
        const offset = Math.max(from, at);
        return { offset, bytes: bytes.subarray(offset - at, offset - at + max) };
      }
      at = end;
    }
    return null;
  }

  #cut(input: CutterInput): void {
    const events = cutEvents(this.#cutter, input);
    this.#events.push(...events);
    const bytes = this.#meter.count(events);
    if (bytes !== null) this.#options.exceeded({ bytes, limit: this.#options.quota });
  }

  #idle(): void {
    const waited = Math.max(0, this.#options.now() - this.#arrived);
    this.#cut({ type: 'idle', time: this.#cutter.lastInput + waited });
  }

  /** Makes an unfinished line visible to other servers too, in time. */
  #watch(): void {
    if (this.#timer !== undefined || this.#cutter.pendingSince === null) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      // A failure is retried by the next sync, which reports the reason.
      void this.#serial
        .run(async () => {
          this.#idle();
          this.#watch();
          await this.#store();
        })
        .catch(() => {});
    }, Math.min(SILENCE_MICROS, LONGEST_WAIT_MICROS) / 1000);
    this.#timer.unref();
  }

  async #store(ended = false): Promise<void> {
    if (this.#marks.length === 0 && this.#events.length === 0 && !ended) {
      if (this.#length === (this.#newest?.endOffset ?? 0)) return;
    }
    const { ref, tables } = this.#options;
    const row: LogPieceRecord = {
      jobId: ref.jobId,
      seq: (this.#newest?.seq ?? -1) + 1,
      project: ref.project,
      run: ref.run,
      startOffset: this.#waitingStart,
      endOffset: this.#length,
      bytes: Buffer.concat(this.#waiting),
      marks: encodeMarks(this.#marks),
      firstEvent: (this.#newest?.firstEvent ?? 0) + (this.#newest?.eventCount ?? 0),
      eventCount: this.#events.length,
      events: encodeEvents(this.#events),
      ended,
    };
    if (!(await tables.insert(row))) {
      await this.#load(await this.#fetch());
      const message = `Another server has written to the log of job ${ref.jobId}`;
      throw new LogStoreError('failed', message);
    }
    this.#newest = row;
    this.#waiting = [];
    this.#waitingStart = this.#length;
    this.#marks = [];
    this.#events = [];
    this.#options.stored();
  }

  /** Loads what another server has written since, unless bytes of this server are pending. */
  async #refresh(): Promise<void> {
    if (this.#marks.length > 0 || this.#events.length > 0) return;
    const newest = await this.#fetch();
    if (newest?.seq !== this.#newest?.seq) await this.#load(newest);
  }

  async #fetch(): Promise<LogPieceRecord | null> {
    const { tables, ref } = this.#options;
    const row = await tables.newest(ref.jobId);
    return row && this.#isOurs(row) ? row : null;
  }

  /** With another run's name a stream is not found. */
  #isOurs(row: LogPieceRecord): boolean {
    const { ref } = this.#options;
    return row.project === ref.project && row.run === ref.run;
  }

  async #load(newest: LogPieceRecord | null): Promise<void> {
    const { tables, ref, quota } = this.#options;
    this.#writer = false;
    this.#newest = newest;
    this.#length = newest?.endOffset ?? 0;
    this.#waiting = [];
    this.#waitingStart = this.#length;
    this.#marks = [];
    this.#events = [];
    const source = tableEvents(tables, ref.jobId, newest);
    this.#meter = new QuotaMeter(quota);
    await this.#meter.resume(source);
    const [last] = source.count > 0 ? await source.records(source.count - 1, 1) : [];
    this.#cutter = cutterAfter(last ?? START);
    await this.#replay();
  }

  /**
   * Advances the cutter to the end of the stored output. It creates no event, as those are stored
   * too.
   */
  async #replay(): Promise<void> {
    const { tables, ref } = this.#options;
    while (this.#cutter.text.offset < this.#length) {
      const row = await tables.withOffset(ref.jobId, this.#cutter.text.offset);
      if (!row) return;
      for (const mark of decodeMarks(Buffer.from(row.marks))) {
        const from = this.#cutter.text.offset - row.startOffset;
        if (mark.end <= this.#cutter.text.offset) continue;
        const bytes = row.bytes.subarray(from, mark.end - row.startOffset);
        this.#cut({ type: 'bytes', time: mark.time, bytes });
      }
    }
  }
}
