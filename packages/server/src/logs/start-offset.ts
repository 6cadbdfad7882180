import type { LogStore, LogStreamRef } from './log-store.ts';

/** Where a reader starts in a job's output. */
export interface LogStart {
  /** Only output after this instant, in µs; null = from the beginning. */
  readonly since: number | null;
  /** Only this many last lines of that, an unfinished one counts; null = all of them. */
  readonly lines: number | null;
}

const PIECE_BYTES = 64 * 1024;
const NEWLINE = 0x0a;

/** The offset in the raw output at which a reader starts. Throws `LogStoreError`. */
export async function startOffset(
  store: LogStore,
  ref: LogStreamRef,
  { since, lines }: LogStart,
): Promise<number> {
  const first = since === null ? 0 : await offsetAfter(store, ref, since);
  return lines === null ? first : await offsetOfLastLines(store, ref, first, lines);
}

/** Times belong to events, so this never cuts a line in two. */
async function offsetAfter(store: LogStore, ref: LogStreamRef, time: number): Promise<number> {
  const page = await store.poll(ref, {
    startTime: time,
    endTime: null,
    descending: false,
    nextToken: null,
    limit: 1,
  });
  return page.offset ?? 0;
}

/** Reads backwards until enough line ends are found. Lost bytes have no lines. */
async function offsetOfLastLines(
  store: LogStore,
  ref: LogStreamRef,
  first: number,
  lines: number,
): Promise<number> {
  const length = await store.length(ref);
  if (lines === 0) return length;
  let wanted = lines;
  for (let end = length; end > first; ) {
    const from = Math.max(first, end - PIECE_BYTES);
    const bytes = await rawBetween(store, ref, from, end);
    for (let at = bytes.length - 1; at >= 0; at -= 1) {
      if (bytes[at] !== NEWLINE) continue;
      // The end of the very last line does not begin a line of its own.
      if (from + at + 1 === length) continue;
      wanted -= 1;
      if (wanted === 0) return from + at + 1;
    }
    end = from;
  }
  return first;
}

/** Lost bytes are zeros. */
async function rawBetween(
  store: LogStore,
  ref: LogStreamRef,
  from: number,
  to: number,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(to - from);
  for (let at = from; at < to; ) {
    const piece = await store.readRaw(ref, at, to - at);
    if (piece === null || piece.bytes.length === 0 || piece.offset >= to) break;
    bytes.set(piece.bytes.subarray(0, to - piece.offset), piece.offset - from);
    at = piece.offset + piece.bytes.length;
  }
  return bytes;
}
