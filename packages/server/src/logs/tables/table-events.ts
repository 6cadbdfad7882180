import type { LogPieceRecord, LogPieces } from '@dstack/store';
import type { EventRecord } from '../event-cutter.ts';
import type { EventSource } from '../event-page.ts';
import { decodeEvents } from '../event-records.ts';

interface Decoded {
  readonly first: number;
  readonly events: readonly EventRecord[];
}

/** The events of a job in the table, up to and including those of `newest`. */
export function tableEvents(
  tables: LogPieces,
  jobId: string,
  newest: LogPieceRecord | null,
): EventSource {
  // Neighbouring records are in the same piece: the last two are cached for one page.
  let recent: Decoded[] = newest ? [decode(newest)] : [];

  async function holding(ordinal: number): Promise<Decoded | null> {
    const known = recent.find((piece) => has(piece, ordinal));
    if (known) return known;
    const row = await tables.withEvent(jobId, ordinal);
    if (!row) return null;
    const piece = decode(row);
    recent = [piece, ...recent.slice(0, 1)];
    return has(piece, ordinal) ? piece : null;
  }

  return {
    count: newest ? newest.firstEvent + newest.eventCount : 0,
    async records(first, count) {
      const found: EventRecord[] = [];
      while (found.length < count) {
        const piece = await holding(first + found.length);
        if (!piece) break;
        const from = first + found.length - piece.first;
        found.push(...piece.events.slice(from, from + count - found.length));
      }
      return found;
    },
    async raw(from, to) {
      const bytes = Buffer.alloc(to - from);
      for (let at = from; at < to; ) {
        const row = await tables.withOffset(jobId, at);
        if (!row || row.startOffset >= to) break;
        const start = Math.max(at, row.startOffset);
        bytes.set(row.bytes.subarray(start - row.startOffset, to - row.startOffset), start - from);
        at = row.endOffset;
      }
      return bytes;
    },
  };
}

function decode(row: LogPieceRecord): Decoded {
  return { first: row.firstEvent, events: decodeEvents(row.events) };
}

function has(piece: Decoded, ordinal: number): boolean {
  return ordinal >= piece.first && ordinal < piece.first + piece.events.length;
}
