import { crc32 } from 'node:zlib';
import type { OutputTime } from './log-store.ts';

/** One append, as stored in the index beside a raw segment. */
export interface RawMark {
  /** The offset in the stream after the bytes. */
  readonly end: number;
  readonly length: number;
  /** When the bytes were read from the job, microseconds. */
  readonly time: number;
  readonly crc: number;
}

export const RAW_MARK_BYTES = 24;

export function markOf(offset: number, time: number, bytes: Uint8Array): RawMark {
  return { end: offset + bytes.length, length: bytes.length, time, crc: crc32(bytes) };
}

/** Layout: end (8), time (8), length (4), CRC-32 of the bytes (4), all big-endian. */
export function encodeMarks(marks: readonly RawMark[]): Buffer {
  const out = Buffer.alloc(marks.length * RAW_MARK_BYTES);
  marks.forEach((mark, i) => {
    const at = i * RAW_MARK_BYTES;
    out.writeBigUInt64BE(BigInt(mark.end), at);
    out.writeBigUInt64BE(BigInt(mark.time), at + 8);
    out.writeUInt32BE(mark.length, at + 16);
    out.writeUInt32BE(mark.crc, at + 20);
  });
  return out;
}

/** An incomplete mark at the end is dropped. */
export function decodeMarks(bytes: Buffer): RawMark[] {
  const marks: RawMark[] = [];
  for (let at = 0; at + RAW_MARK_BYTES <= bytes.length; at += RAW_MARK_BYTES) {
    marks.push({
      end: Number(bytes.readBigUInt64BE(at)),
      time: Number(bytes.readBigUInt64BE(at + 8)),
      length: bytes.readUInt32BE(at + 16),
      crc: bytes.readUInt32BE(at + 20),
    });
  }
  return marks;
}

/** The times of the bytes up to `to`. Appends within one millisecond are one entry. */
export function outputTimes(marks: readonly RawMark[], to: number): OutputTime[] {
  const times: OutputTime[] = [];
  for (const mark of marks) {
    const entry = { end: Math.min(mark.end, to), time: Math.floor(mark.time / 1000) };
    if (times.at(-1)?.time === entry.time) times.pop();
    times.push(entry);
  }
  return times;
}
