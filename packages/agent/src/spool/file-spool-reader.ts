import { closeSync, openSync, readSync, statSync } from 'node:fs';
import {
  decodeRecord,
  type IndexRecord,
  listSegments,
  newestRecord,
  RECORD_BYTES,
  type Segment,
} from './spool-files.ts';
import type { SpoolChunk, SpoolReader } from './spool-reader.ts';

/** Pieces read within this time (microseconds) may be returned as one chunk. */
const MERGE_MICROS = 10_000;
const RECORDS_PER_READ = 128;

/**
 * Reads a spool directory that another object or process writes. Its owner follows the writer and
 * calls `grew` and `finish`.
 */
export class FileSpoolReader implements SpoolReader {
  readonly #dir: string;
  readonly #listeners = new Set<(end: number) => void>();
  readonly #ended = Promise.withResolvers<number>();
  #segments: Segment[] = [];
  #end: number;
  #cursor: { readonly segment: number; readonly record: number; readonly offset: number } | null =
    null;

  constructor(dir: string) {
    this.#dir = dir;
    this.#end = newestRecord(dir)?.end ?? 0;
  }

  get end(): number {
    return this.#end;
  }

  get start(): number {
    return listSegments(this.#dir)[0]?.start ?? this.#end;
  }

  get ended(): Promise<number> {
    return this.#ended.promise;
  }

  follow(listener: (end: number) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The writer has written up to `end`. */
  grew(end: number): void {
    if (end <= this.#end) return;
    this.#end = end;
    for (const listener of this.#listeners) listener(end);
  }

  /** The writer has closed the spool. */
  finish(): void {
    this.grew(newestRecord(this.#dir)?.end ?? 0);
    this.#ended.resolve(this.#end);
  }

  async read(offset: number, max: number): Promise<SpoolChunk | null> {
    if (offset >= this.#end) return null;
    const segment = this.#segmentOf(offset);
    const here = segment && this.#readSegment(segment, Math.max(offset, segment.start), max);
    if (here) return here;
    // A gap, or a segment that was dropped meanwhile: return the next segment with data. A full
    // disk can leave any number of empty ones.
    this.#segments = listSegments(this.#dir);
    for (const next of this.#segments) {
      const chunk = next.start > offset ? this.#readSegment(next, next.start, max) : null;
      if (chunk) return chunk;
    }
    // Another program has removed the spool: a reader must not wait for the lost bytes.
    if (this.#segments.length > 0) return null;
    return { offset: this.#end, time: 0, bytes: new Uint8Array() };
  }

  #segmentOf(offset: number): Segment | undefined {
    const known = this.#segments.findLast((segment) => segment.start <= offset);
    if (known && known !== this.#segments.at(-1)) return known;
    this.#segments = listSegments(this.#dir);
    return this.#segments.findLast((segment) => segment.start <= offset) ?? this.#segments[0];
  }

  #readSegment(segment: Segment, offset: number, max: number): SpoolChunk | null {
    const index = openIfThere(segment.index);
    if (index === null) return null;
    try {
      const first = this.#recordOf(segment, index, offset);
      const block = Buffer.alloc(RECORDS_PER_READ * RECORD_BYTES);
      const read = readSync(index, block, 0, block.length, first * RECORD_BYTES);
      const records: IndexRecord[] = [];
      for (let at = 0; at + RECORD_BYTES <= read; at += RECORD_BYTES) {
        records.push(decodeRecord(block, at));
      }
      const piece = pieceOf(records, offset, Math.min(max, this.#end - offset));
      if (!piece) return null;
      const end = offset + piece.length;
      this.#cursor = { segment: segment.start, record: first + piece.passed, offset: end };
      return { offset, time: piece.time, bytes: readBytes(segment, offset, piece.length) };
    } finally {
      closeSync(index);
    }
  }

  /** Number of the first record that ends after `offset`. */
  #recordOf(segment: Segment, index: number, offset: number): number {
    const cursor = this.#cursor;
    if (cursor && cursor.segment === segment.start && cursor.offset === offset) {
      return cursor.record;
    }
    const record = Buffer.alloc(RECORD_BYTES);
    let low = 0;
    let high = Math.floor(statSync(segment.index).size / RECORD_BYTES);
    while (low < high) {
      const middle = (low + high) >>> 1;
      readSync(index, record, 0, RECORD_BYTES, middle * RECORD_BYTES);
      if (decodeRecord(record, 0).end > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** How many bytes go into one chunk, and how many records that consumes. */
function pieceOf(
  records: readonly IndexRecord[],
  offset: number,
  max: number,
): { length: number; time: number; passed: number } | null {
  const first = records[0];
  if (!first || max <= 0) return null;
  let end = offset;
  let passed = 0;
  for (const record of records) {
    if (record.time - first.time > MERGE_MICROS || end - offset >= max) break;
    end = Math.min(record.end, offset + max);
    if (end === record.end) passed += 1;
  }
  return end > offset ? { length: end - offset, time: first.time, passed } : null;
}

function readBytes(segment: Segment, offset: number, length: number): Uint8Array {
  const fd = openSync(segment.log, 'r');
  try {
    const bytes = Buffer.alloc(length);
    let done = 0;
    while (done < length) {
      const read = readSync(fd, bytes, done, length - done, offset - segment.start + done);
      if (read === 0) break;
      done += read;
    }
    return bytes.subarray(0, done);
  } finally {
    closeSync(fd);
  }
}

function openIfThere(path: string): number | null {
  try {
    return openSync(path, 'r');
  } catch {
    // Dropped by rotation between listing and opening.
    return null;
  }
}
