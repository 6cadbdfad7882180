import { type FileHandle, mkdir, open, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { LogPiece } from '../log-store.ts';
import { encodeMarks, markOf, RAW_MARK_BYTES, type RawMark } from '../raw-marks.ts';
import type { FileHandles } from './open-files.ts';
import { readMarks, recoverSegment, type SegmentPaths, sizeOf } from './raw-recovery.ts';

interface Segment {
  /** Offset in the stream of the first byte. */
  readonly start: number;
  size: number;
}

/** Marks in memory are written when there are this many, or at `flush`. */
const MAX_WAITING_MARKS = 2048;
const MARKS_PER_READ = 1024;

/**
 * The raw bytes of one stream: files `<start offset>.log` of limited size, each with an index
 * `<start offset>.idx` of its appends. A hole (lost output) is between two segments. Bytes are in
 * their file when `append` returns, marks after `flush`, both on the disk after `sync`. The caller
 * must ensure that only one of the writing methods runs at a time.
 */
export class RawSegments {
  readonly #dir: string;
  readonly #files: FileHandles;
  readonly #segmentBytes: number;
  #segments: Segment[] = [];
  #waiting: RawMark[] = [];
  /** Marks of the last segment that are in its index file. */
  #written = 0;
  #dirty = true;
  #newNames = false;

  constructor(dir: string, files: FileHandles, segmentBytes: number) {
    this.#dir = dir;
    this.#files = files;
    this.#segmentBytes = segmentBytes;
  }

  /** Opens the existing files; `repair` repairs the last segment first. */
  async open(repair: boolean): Promise<void> {
    this.#segments = await this.#list();
    const last = this.#segments.at(-1);
    if (!last) return;
    const paths = this.#paths(last.start);
    if (repair) last.size = await recoverSegment(this.#files, paths, last.start);
    this.#written = ((await sizeOf(paths.index)) ?? 0) / RAW_MARK_BYTES;
  }

  get length(): number {
    const last = this.#segments.at(-1);
    return last ? last.start + last.size : 0;
  }

  get exists(): boolean {
    return this.#segments.length > 0;
  }

  /** Whether there is anything to `sync`. */
  get dirty(): boolean {
    return this.#dirty;
  }

  /** Appends at `length`. If it throws, nothing was appended. */
  async append(time: number, bytes: Uint8Array): Promise<void> {
    const segment = await this.#writable();
    const { raw } = this.#paths(segment.start);
    try {
      await this.#files.use(raw, true, (file) => writeAll(file, bytes, segment.size));
    } catch (error) {
      // A part may have been written: it must not be found when the stream is opened again.
      await this.#files.use(raw, true, (file) => file.truncate(segment.size)).catch(() => {});
      throw error;
    }
    this.#waiting.push(markOf(segment.start + segment.size, time, bytes));
    segment.size += bytes.length;
    this.#dirty = true;
    // The bytes are written; marks that cannot be written yet wait for `sync`, which reports the
    // error.
    if (this.#waiting.length >= MAX_WAITING_MARKS) await this.flush().catch(() => {});
  }

  /** The stream continues at `offset`, larger than `length`. */
  async skip(offset: number): Promise<void> {
    await this.#begin(offset);
  }

  async flush(): Promise<void> {
    const segment = this.#segments.at(-1);
    if (!segment || this.#waiting.length === 0) return;
    const count = this.#waiting.length;
    const bytes = encodeMarks(this.#waiting);
    const at = this.#written * RAW_MARK_BYTES;
    const { index } = this.#paths(segment.start);
    await this.#files.use(index, true, (file) => writeAll(file, bytes, at));
    this.#waiting.splice(0, count);
    this.#written += count;
  }

  async sync(): Promise<void> {
    const segment = this.#segments.at(-1);
    if (!segment || !this.#dirty) return;
    await this.flush();
    const paths = this.#paths(segment.start);
    await Promise.all([
      this.#files.use(paths.raw, true, (file) => file.datasync()),
      this.#files.use(paths.index, true, (file) => file.datasync()),
    ]);
    if (this.#newNames) await this.#syncNames();
    this.#dirty = false;
  }

  /** At most `max` bytes of one segment, from `from` or the end of the hole around it on. */
  async read(from: number, max: number): Promise<LogPiece | null> {
    const segment = this.#segments.find((candidate) => candidate.start + candidate.size > from);
    if (!segment) return null;
    const offset = Math.max(from, segment.start);
    const length = Math.min(max, segment.start + segment.size - offset);
    const bytes = Buffer.allocUnsafe(length);
    const { raw } = this.#paths(segment.start);
    const { bytesRead } = await this.#files.use(raw, false, (file) =>
      file.read(bytes, 0, length, offset - segment.start),
    );
    return { offset, bytes: bytes.subarray(0, bytesRead) };
  }

  /** Offset and time of each append that ends after `offset`, from the index files. */
  async *marksFrom(offset: number): AsyncGenerator<RawMark> {
    for (const segment of this.#segments) {
      if (segment.start + segment.size <= offset) continue;
      const { index } = this.#paths(segment.start);
      for (let at = 0; ; at += MARKS_PER_READ) {
        const marks = await readMarks(this.#files, index, at, MARKS_PER_READ);
        for (const mark of marks) if (mark.end > offset) yield mark;
        if (marks.length < MARKS_PER_READ) break;
      }
    }
  }

  /** The marks of the bytes from `from` to `to`, also those in memory. */
  async marksBetween(from: number, to: number): Promise<RawMark[]> {
    // Taken before the first read: a `flush` meanwhile moves marks from the memory to the file.
    const { waiting, written } = { waiting: [...this.#waiting], written: this.#written };
    const segments = this.#segments.filter(({ start, size }) => start < to && start + size > from);
    const last = this.#segments.at(-1);
    const marks: RawMark[] = [];
    for (const segment of segments) {
      const { index } = this.#paths(segment.start);
      const isLast = segment === last;
      const count = isLast ? written : ((await sizeOf(index)) ?? 0) / RAW_MARK_BYTES;
      marks.push(...(await this.#storedMarks(index, Math.floor(count), from, to)));
      if (isLast) marks.push(...waiting);
    }
    return marks.filter((mark) => mark.end > from && mark.end - mark.length < to);
  }

  /** Those of the first `count` marks of an index file that hold the bytes, and a few around them. */
  async #storedMarks(index: string, count: number, from: number, to: number): Promise<RawMark[]> {
    let low = 0;
    let high = count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const [mark] = await readMarks(this.#files, index, middle, 1);
      if (mark && mark.end <= from) low = middle + 1;
      else high = middle;
    }
    const marks: RawMark[] = [];
    for (let at = low; at < count && (marks.at(-1)?.end ?? from) < to; at += MARKS_PER_READ) {
      marks.push(
        ...(await readMarks(this.#files, index, at, Math.min(MARKS_PER_READ, count - at))),
      );
    }
    return marks;
  }

  async #writable(): Promise<Segment> {
    const last = this.#segments.at(-1);
    if (last && last.size < this.#segmentBytes) return last;
    return await this.#begin(this.length);
  }

  async #begin(start: number): Promise<Segment> {
    // The repair at start-up only reads the last segment, so the previous one must be synced.
    await this.sync();
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    const paths = this.#paths(start);
    await this.#files.use(paths.raw, true, async () => {});
    await this.#files.use(paths.index, true, async () => {});
    const segment = { start, size: 0 };
    this.#segments = [...this.#segments, segment];
    this.#written = 0;
    this.#dirty = true;
    this.#newNames = true;
    return segment;
  }

  /** Makes the names of new files durable, up to the folder of the project. */
  async #syncNames(): Promise<void> {
    const run = dirname(this.#dir);
    for (const dir of [this.#dir, run, dirname(run), dirname(dirname(run))]) await syncFolder(dir);
    this.#newNames = false;
  }

  async #list(): Promise<Segment[]> {
    const names = await readdir(this.#dir).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
    const starts = names.filter((name) => /^\d{16}\.log$/.test(name)).sort();
    return await Promise.all(
      starts.map(async (name) => ({
        start: Number(name.slice(0, 16)),
        size: (await stat(join(this.#dir, name))).size,
      })),
    );
  }

  #paths(start: number): SegmentPaths {
    const name = join(this.#dir, String(start).padStart(16, '0'));
    return { raw: `${name}.log`, index: `${name}.idx` };
  }
}

/** A write to a full disk may write only a part; the rest then fails with the reason. */
export async function writeAll(
  file: FileHandle,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

export async function syncFolder(dir: string): Promise<void> {
  const handle = await open(dir, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
