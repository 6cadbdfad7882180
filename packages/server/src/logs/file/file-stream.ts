import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type CutterInput,
  type CutterState,
  cutEvents,
  cutterAfter,
  type EventRecord,
} from '../event-cutter.ts';
import { type EventSource, readPage } from '../event-page.ts';
import type { LogPage, PollQuery } from '../log-page.ts';
import type { AppendResult, LogPiece, LogStatus } from '../log-store.ts';
import { QuotaMeter } from '../quota-meter.ts';
import type { RawMark } from '../raw-marks.ts';
import { Serial } from '../serial.ts';
import type { LogStream, StreamSetup } from '../stream-store.ts';
import { EventIndex } from './event-index.ts';
import type { FileHandles } from './open-files.ts';
import { RawSegments, syncFolder } from './raw-segments.ts';

export interface FileStreamOptions extends StreamSetup {
  readonly dir: string;
  readonly files: FileHandles;
  readonly segmentBytes: number;
}

const REPLAY_BYTES = 256 * 1024;

/** One stream in its folder: raw segments, event index, and the mark `end` with the final length. */
export class FileStream implements LogStream {
  readonly #options: FileStreamOptions;
  readonly #raw: RawSegments;
  readonly #index: EventIndex;
  readonly #meter: QuotaMeter;
  readonly #serial = new Serial();
  #cutter: CutterState;
  #ended = false;
  /** When the newest output arrived here: the clock of its host may differ. */
  #arrived: number;

  private constructor(
    options: FileStreamOptions,
    raw: RawSegments,
    last: EventRecord,
    index: EventIndex,
  ) {
    this.#options = options;
    this.#raw = raw;
    this.#index = index;
    this.#cutter = cutterAfter(last);
    this.#meter = new QuotaMeter(options.quota);
    this.#arrived = options.now();
  }

  /** Opens the stream and repairs it after a crash; a stream that does not exist is empty. */
  static async open(options: FileStreamOptions): Promise<FileStream> {
    const finalLength = await readEndMark(options.dir);
    const raw = new RawSegments(options.dir, options.files, options.segmentBytes);
    await raw.open(finalLength === null);
    const index = new EventIndex(join(options.dir, 'events.idx'), options.files);
    const last = await index.open(raw.length);
    const stream = new FileStream(options, raw, last, index);
    await stream.#meter.resume(stream.#source());
    await stream.#replay();
    // Output after the end invalidates the mark.
    stream.#ended = finalLength === raw.length;
    if (stream.#ended) await stream.#cut({ type: 'end' });
    return stream;
  }

  async status(): Promise<LogStatus> {
    return { length: this.#length, ended: this.#ended };
  }

  append(offset: number, time: number, bytes: Uint8Array): Promise<AppendResult> {
    return this.#serial.run(async () => {
      const length = this.#length;
      if (offset > length) return { length, gapFrom: length };
      const fresh = bytes.subarray(length - offset);
      if (fresh.length === 0) return { length, gapFrom: null };
      await this.#raw.append(time, fresh);
      this.#arrived = this.#options.now();
      this.#ended = false;
      this.#options.appended({ offset: length, bytes: fresh, time }, this.#length);
      await this.#cut({ type: 'bytes', time, bytes: fresh });
      return { length: this.#length, gapFrom: null };
    });
  }

  skip(offset: number, time: number): Promise<number> {
    return this.#serial.run(async () => {
      if (offset > this.#length) {
        await this.#raw.skip(offset);
        await this.#cut({ type: 'lost', offset, time });
      }
      return this.#length;
    });
  }

  /** Returns the durable length. */
  sync(): Promise<number> {
    return this.#serial.run(async () => {
      await this.#raw.sync();
      await this.#index.flush();
      return this.#length;
    });
  }

  /** Writes data in memory, so that the stream can be opened again. */
  flush(): Promise<void> {
    return this.#serial.run(async () => {
      await this.#raw.flush();
      await this.#index.flush();
    });
  }

  end(): Promise<number> {
    return this.#serial.run(async () => {
      if (this.#ended) return this.#length;
      await this.#raw.sync();
      await this.#cut({ type: 'end' });
      await this.#index.flush();
      await writeEndMark(this.#options.dir, this.#length);
      this.#ended = true;
      return this.#length;
    });
  }

  readRaw(from: number, max: number): Promise<LogPiece | null> {
    return this.#raw.read(from, max);
  }

  marks(from: number, to: number): Promise<readonly RawMark[]> {
    return this.#raw.marksBetween(from, to);
  }

  async poll(query: PollQuery): Promise<LogPage> {
    await this.#serial.run(async () => {
      const waited = Math.max(0, this.#options.now() - this.#arrived);
      await this.#cut({ type: 'idle', time: this.#cutter.lastInput + waited });
    });
    return await readPage(this.#source(), query);
  }

  get #length(): number {
    return this.#raw.length;
  }

  async #cut(input: CutterInput): Promise<void> {
    const events = cutEvents(this.#cutter, input);
    if (events.length === 0) return;
    await this.#index.add(events);
    const bytes = this.#meter.count(events);
    if (bytes !== null) this.#options.exceeded({ bytes, limit: this.#options.quota });
  }

  /** Creates the events of the output after the last event of the index. */
  async #replay(): Promise<void> {
    for await (const mark of this.#raw.marksFrom(this.#cutter.text.offset)) {
      const start = mark.end - mark.length;
      if (start > this.#cutter.text.offset) {
        await this.#cut({ type: 'lost', offset: start, time: mark.time });
      }
      while (this.#cutter.text.offset < mark.end) {
        const from = this.#cutter.text.offset;
        const piece = await this.#raw.read(from, Math.min(REPLAY_BYTES, mark.end - from));
        if (!piece || piece.bytes.length === 0) return;
        await this.#cut({ type: 'bytes', time: mark.time, bytes: piece.bytes });
      }
    }
    if (this.#length > this.#cutter.text.offset) {
      await this.#cut({ type: 'lost', offset: this.#length, time: this.#cutter.lastInput });
    }
  }

  #source(): EventSource {
    return {
      count: this.#index.count,
      records: (first, count) => this.#index.records(first, count),
      raw: async (from, to) => {
        const bytes = Buffer.alloc(to - from);
        for (let at = from; at < to; ) {
          const piece = await this.#raw.read(at, to - at);
          if (!piece || piece.offset >= to || piece.bytes.length === 0) break;
          bytes.set(piece.bytes.subarray(0, to - piece.offset), piece.offset - from);
          at = piece.offset + piece.bytes.length;
        }
        return bytes;
      },
    };
  }
}

async function readEndMark(dir: string): Promise<number | null> {
  try {
    const text = await readFile(join(dir, 'end'), 'utf8');
    return /^\d+\n$/.test(text) ? Number(text) : null;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

async function writeEndMark(dir: string, length: number): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const path = join(dir, 'end');
  await writeFile(`${path}.new`, `${length}\n`, { mode: 0o600, flush: true });
  await rename(`${path}.new`, path);
  await syncFolder(dir);
}
