import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Layout of a spool directory: segments named by the offset of their first byte, each a pair of
 * `<offset>.log` (the bytes) and `<offset>.idx` (one record per piece that was read). The index is
 * written after the bytes and is authoritative: bytes that it does not cover do not exist.
 */
export interface Segment {
  readonly start: number;
  readonly log: string;
  readonly index: string;
}

/**
 * One index record. `newlines` and `tail` describe the output as it was read, before masking:
 * newlines since the start of the job, and bytes since the last of them. They locate the same
 * position in another copy of the output (Docker's log).
 */
export interface IndexRecord {
  readonly end: number;
  readonly time: number;
  readonly newlines: number;
  readonly tail: number;
}

export const RECORD_BYTES = 32;
const NAME = /^(\d{15})\.log$/;

export function segmentAt(dir: string, start: number): Segment {
  const stem = join(dir, String(start).padStart(15, '0'));
  return { start, log: `${stem}.log`, index: `${stem}.idx` };
}

/** Segments in order of offset; empty when there is no such directory. */
export function listSegments(dir: string): Segment[] {
  if (!existsSync(dir)) return [];
  const starts = readdirSync(dir).flatMap((name) => {
    const match = NAME.exec(name);
    return match ? [Number(match[1])] : [];
  });
  return starts.sort((a, b) => a - b).map((start) => segmentAt(dir, start));
}

export function encodeRecord(record: IndexRecord): Buffer {
  const out = Buffer.allocUnsafe(RECORD_BYTES);
  out.writeBigUInt64LE(BigInt(record.end), 0);
  out.writeBigUInt64LE(BigInt(record.time), 8);
  out.writeBigUInt64LE(BigInt(record.newlines), 16);
  out.writeBigUInt64LE(BigInt(record.tail), 24);
  return out;
}

export function decodeRecord(bytes: Buffer, at: number): IndexRecord {
  return {
    end: Number(bytes.readBigUInt64LE(at)),
    time: Number(bytes.readBigUInt64LE(at + 8)),
    newlines: Number(bytes.readBigUInt64LE(at + 16)),
    tail: Number(bytes.readBigUInt64LE(at + 24)),
  };
}

/** The last record of a segment whose bytes are present, and the number of records up to it. */
export function lastRecord(segment: Segment): { record: IndexRecord; count: number } | null {
  if (!existsSync(segment.index) || !existsSync(segment.log)) return null;
  const index = readFileSync(segment.index);
  const size = statSync(segment.log).size;
  for (let count = Math.floor(index.length / RECORD_BYTES); count > 0; count--) {
    const record = decodeRecord(index, (count - 1) * RECORD_BYTES);
    if (record.end - segment.start <= size) return { record, count };
  }
  return null;
}

/** The newest record of a spool; null if nothing was written. */
export function newestRecord(dir: string): IndexRecord | null {
  for (const segment of listSegments(dir).reverse()) {
    const last = lastRecord(segment);
    if (last) return last.record;
  }
  return null;
}
