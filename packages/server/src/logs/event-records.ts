import type { EventRecord } from './event-cutter.ts';

/** Bytes of one record of an event index. */
export const EVENT_RECORD_BYTES = 24;

const PARTIAL = 1;
const REDRAW = 2;
const LOST = 4;

/** Layout: flags (1), end (7), time (8), text bytes so far (8), all big-endian. */
export function encodeEvents(events: readonly EventRecord[]): Buffer {
  const out = Buffer.alloc(events.length * EVENT_RECORD_BYTES);
  events.forEach((event, i) => {
    const at = i * EVENT_RECORD_BYTES;
    const flags =
      (event.carry.partial ? PARTIAL : 0) |
      (event.carry.redraw ? REDRAW : 0) |
      (event.lost ? LOST : 0);
    out.writeBigUInt64BE(BigInt(event.end), at);
    out.writeUInt8(flags, at);
    out.writeBigUInt64BE(BigInt(event.time), at + 8);
    out.writeBigUInt64BE(BigInt(event.totalText), at + 16);
  });
  return out;
}

/** An incomplete record at the end is dropped. */
export function decodeEvents(bytes: Uint8Array): EventRecord[] {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const events: EventRecord[] = [];
  for (let at = 0; at + EVENT_RECORD_BYTES <= view.length; at += EVENT_RECORD_BYTES) {
    const flags = view.readUInt8(at);
    events.push({
      end: view.readUIntBE(at + 2, 6),
      time: Number(view.readBigUInt64BE(at + 8)),
      totalText: Number(view.readBigUInt64BE(at + 16)),
      carry: { partial: (flags & PARTIAL) !== 0, redraw: (flags & REDRAW) !== 0 },
      lost: (flags & LOST) !== 0,
    });
  }
  return events;
}
