/**
 * One piece of a job's output: `offset` is its place in the job's spool (bytes from the start),
 * `time` when it was read, in microseconds since the epoch.
 */
export interface LogFrame {
  readonly id: string;
  readonly offset: number;
  readonly time: number;
  readonly bytes: Uint8Array;
}

const HEADER = 36 + 8 + 8;

/** Binary layout: 36 bytes id (ASCII), 8 bytes offset, 8 bytes time (both big-endian), the bytes. */
export function encodeLogFrame(frame: LogFrame): Uint8Array {
  const out = new Uint8Array(HEADER + frame.bytes.length);
  for (let i = 0; i < 36; i++) out[i] = frame.id.charCodeAt(i);
  const view = new DataView(out.buffer);
  view.setBigUint64(36, BigInt(frame.offset));
  view.setBigUint64(44, BigInt(frame.time));
  out.set(frame.bytes, HEADER);
  return out;
}

/** Throws a `RangeError` if the message is shorter than the header. */
export function decodeLogFrame(message: Uint8Array): LogFrame {
  if (message.length < HEADER) throw new RangeError('log frame shorter than its header');
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  return {
    id: String.fromCharCode(...message.subarray(0, 36)),
    offset: Number(view.getBigUint64(36)),
    time: Number(view.getBigUint64(44)),
    bytes: message.subarray(HEADER),
  };
}
