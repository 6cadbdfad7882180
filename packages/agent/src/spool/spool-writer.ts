import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { type Masked, Masker } from './masker.ts';
import {
  encodeRecord,
  lastRecord,
  listSegments,
  RECORD_BYTES,
  type Segment,
  segmentAt,
} from './spool-files.ts';

export interface SpoolWriterOptions {
  readonly dir: string;
  readonly maskedValues: readonly string[];
  /** Size at which a new segment begins, in bytes. */
  readonly segmentBytes?: number;
  /** Limit of all segments in bytes; the oldest are dropped first. */
  readonly capBytes?: number;
  /** Called with the new end after each piece is in its file. */
  readonly onGrow?: (end: number) => void;
}

const SEGMENT_BYTES = 16 * 1024 * 1024;
const CAP_BYTES = 1024 * 1024 * 1024;

interface OpenSegment extends Segment {
  readonly logFd: number;
  readonly indexFd: number;
  size: number;
  indexSize: number;
}

/**
 * Appends a job's output to its spool, with secrets masked before they reach the disk. The only
 * writer of its directory. Bytes that a full disk rejects are kept for a retry or `skip`.
 */
export class SpoolWriter {
  readonly #options: Required<SpoolWriterOptions>;
  readonly #masker: Masker;
  #segment: OpenSegment | null = null;
  #end = 0;
  #pending: { readonly masked: Masked; readonly time: number } | null = null;
  #newlines = 0;
  #tail = 0;

  /** Continues where an earlier writer stopped. Bytes that the index does not cover are cut off. */
  constructor(options: SpoolWriterOptions) {
    this.#options = {
      segmentBytes: SEGMENT_BYTES,
      capBytes: CAP_BYTES,
      onGrow: () => {},
      ...options,
    };
    this.#masker = new Masker(options.maskedValues);
    mkdirSync(options.dir, { recursive: true, mode: 0o700 });
    this.#resume();
  }

  get end(): number {
    return this.#end;
  }

  /** Newlines written so far and bytes since the last one, both as read (before masking). */
  get place(): { readonly newlines: number; readonly tail: number } {
    return { newlines: this.#newlines, tail: this.#tail };
  }

  /**
   * `time` in microseconds since the epoch. False if the disk rejects it. Then nothing more may be
   * appended until `retry` has returned true or `skip` was called.
   */
  append(piece: Buffer, time: number): boolean {
    return this.#write(this.#masker.push(piece), time);
  }

  /**
   * Writes lines of dstack before any output, unless the spool already has content. They do not
   * count in `place`. On a full disk they are dropped.
   */
  note(lines: readonly string[], time: number): void {
    if (this.#end > 0 || lines.length === 0) return;
    const text = lines.map((line) => `[dstack: ${printable(line)}]\r\n`).join('');
    const bytes = Buffer.from(text);
    if (!this.#write({ bytes, raw: Buffer.alloc(0) }, time)) this.skip();
  }

  /** Whether the rejected bytes are now written. */
  retry(): boolean {
    const pending = this.#pending;
    return pending === null || this.#write(pending.masked, pending.time);
  }

  /** Drops the rejected bytes. Readers see a gap in the offsets. */
  skip(): void {
    const pending = this.#pending;
    if (!pending) return;
    this.#pending = null;
    const segment = this.#segment;
    this.#closeSegment(false);
    // Each rejected piece would leave one.
    if (segment?.size === 0) removeSegment(segment);
    this.#count(pending.masked.raw);
    this.#end += pending.masked.bytes.length;
  }

  /** Writes the bytes held back and syncs everything. Nothing may be appended afterwards. */
  close(time: number): void {
    this.skip();
    this.#write(this.#masker.end(), time);
    this.#closeSegment(true);
  }

  #resume(): void {
    for (const segment of listSegments(this.#options.dir).reverse()) {
      const last = lastRecord(segment);
      if (!last) {
        removeSegment(segment);
        continue;
      }
      this.#end = last.record.end;
      this.#newlines = last.record.newlines;
      this.#tail = last.record.tail;
      truncateSync(segment.log, last.record.end - segment.start);
      truncateSync(segment.index, last.count * RECORD_BYTES);
      this.#segment = openSegment(segment);
      return;
    }
  }

  #write(masked: Masked, time: number): boolean {
    const { bytes, raw } = masked;
    if (raw.length === 0 && bytes.length === 0) return true;
    const end = this.#end + bytes.length;
    const before = { newlines: this.#newlines, tail: this.#tail };
    this.#count(raw);
    const record = { end, time, newlines: this.#newlines, tail: this.#tail };
    try {
      const segment = this.#segmentFor(this.#end);
      writeAll(segment.logFd, bytes, segment.size);
      try {
        writeAll(segment.indexFd, encodeRecord(record), segment.indexSize);
      } catch (error) {
        ftruncateSync(segment.logFd, segment.size);
        throw error;
      }
      segment.size += bytes.length;
      segment.indexSize += RECORD_BYTES;
    } catch {
      // The disk is full or has failed. Nothing of this piece counts as written.
      this.#newlines = before.newlines;
      this.#tail = before.tail;
      this.#pending = { masked, time };
      return false;
    }
    this.#pending = null;
    this.#end = end;
    this.#options.onGrow(this.#end);
    return true;
  }

  #count(raw: Buffer): void {
    let last = -1;
    for (let at = raw.indexOf(10); at >= 0; at = raw.indexOf(10, at + 1)) {
      this.#newlines += 1;
      last = at;
    }
    this.#tail = last >= 0 ? raw.length - last - 1 : this.#tail + raw.length;
  }

  #segmentFor(start: number): OpenSegment {
    if (this.#segment && this.#segment.size < this.#options.segmentBytes) return this.#segment;
    this.#closeSegment(false);
    this.#dropOldest();
    this.#segment = openSegment(segmentAt(this.#options.dir, start));
    return this.#segment;
  }

  #dropOldest(): void {
    const segments = listSegments(this.#options.dir);
    let total = segments.reduce((sum, segment) => sum + statSync(segment.log).size, 0);
    for (const segment of segments) {
      if (total + this.#options.segmentBytes <= this.#options.capBytes) return;
      total -= statSync(segment.log).size;
      rmSync(segment.log);
      rmSync(segment.index, { force: true });
    }
  }

  #closeSegment(sync: boolean): void {
    const segment = this.#segment;
    if (!segment) return;
    this.#segment = null;
    if (sync) {
      fsyncSync(segment.logFd);
      fsyncSync(segment.indexFd);
    }
    closeSync(segment.logFd);
    closeSync(segment.indexFd);
  }
}

function removeSegment({ log, index }: Segment): void {
  rmSync(log, { force: true });
  rmSync(index, { force: true });
}

function openSegment(segment: Segment): OpenSegment {
  const logFd = openSync(segment.log, 'a+', 0o600);
  try {
    const indexFd = openSync(segment.index, 'a+', 0o600);
    return {
      ...segment,
      logFd,
      indexFd,
      size: statSync(segment.log).size,
      indexSize: statSync(segment.index).size,
    };
  } catch (error) {
    closeSync(logFd);
    if (statSync(segment.log).size === 0) removeSegment(segment);
    throw error;
  }
}

/** Appends all bytes, or none after a failure, so that file and index agree. */
function writeAll(fd: number, bytes: Buffer, size: number): void {
  let done = 0;
  try {
    while (done < bytes.length) done += writeSync(fd, bytes, done);
  } catch (error) {
    ftruncateSync(fd, size);
    throw error;
  }
}

/** Replaces control characters: names in a notice may come from users. */
function printable(text: string): string {
  return text.replace(/\p{C}/gu, '?');
}
