import { TerminalText, type TextPiece } from '@dstack/contract/terminal-text';
import { type EventRecord, lostText, START } from './event-cutter.ts';
import type { LogPage, PageEvent, PollQuery } from './log-page.ts';
import { LogStoreError } from './log-store.ts';

/** The stored events of one stream. Events are numbered from 0. */
export interface EventSource {
  readonly count: number;
  /** The records from number `first` on, at most `count` of them, fewer only at the end. */
  records(first: number, count: number): Promise<readonly EventRecord[]>;
  /** The raw bytes between two offsets; lost ones are zeros. */
  raw(from: number, to: number): Promise<Uint8Array>;
}

/** Maximum size of the raw bytes of one page; bounds its memory. A page cut by this has a token. */
const PAGE_RAW_BYTES = 4 * 1024 * 1024;

/**
 * One page of events. The token is a decimal number: ascending, that of the first event of the next
 * page; descending, the number of events that are left.
 */
export async function readPage(source: EventSource, query: PollQuery): Promise<LogPage> {
  const token = parseToken(query.nextToken);
  if (query.limit === 0) return { events: [], nextToken: null };
  return query.descending ? descending(source, query, token) : ascending(source, query, token);
}

export function parseToken(token: string | null): number | null {
  if (token === null) return null;
  if (/^\d{1,15}$/.test(token)) return Number(token);
  const rule = 'Must be a non-negative integer.';
  throw new LogStoreError('bad_token', `Invalid next_token: ${token}. ${rule}`);
}

async function ascending(
  source: EventSource,
  query: PollQuery,
  token: number | null,
): Promise<LogPage> {
  const from = query.startTime === null ? 0 : await firstAfter(source, query.startTime);
  const to = query.endTime === null ? source.count : await firstAfter(source, query.endTime - 1);
  const first = Math.max(from, token ?? 0);
  if (first >= to) {
    // A token may be that of another log, and lie behind the end of this one.
    const before = Math.min(first, source.count);
    const [last] = before === 0 ? [] : await source.records(before - 1, 1);
    return { events: [], nextToken: null, offset: (last ?? START).end };
  }
  const records = await withPrevious(source, first, Math.min(query.limit, to - first));
  const raw = new RawWindow(source, records, false);
  const events: PageEvent[] = [];
  let budget = PAGE_RAW_BYTES;
  for (let i = 1; i < records.length; i++) {
    const [previous, record] = [records[i - 1] ?? START, records[i] ?? START];
    budget -= rawSize(previous, record);
    if (budget < 0 && events.length > 0) break;
    events.push(await render(raw, previous, record));
  }
  const next = first + events.length;
  const { end: offset } = records[0] ?? START;
  return { events, nextToken: next < to ? String(next) : null, offset };
}

async function descending(
  source: EventSource,
  query: PollQuery,
  token: number | null,
): Promise<LogPage> {
  const from = query.startTime === null ? 0 : await firstAfter(source, query.startTime);
  const end = query.endTime === null ? source.count : await firstAfter(source, query.endTime);
  const to = Math.min(end, token ?? end);
  if (to <= from) return { events: [], nextToken: null };
  const first = Math.max(from, to - query.limit);
  const records = await withPrevious(source, first, to - first);
  const raw = new RawWindow(source, records, true);
  const events: PageEvent[] = [];
  let budget = PAGE_RAW_BYTES;
  for (let i = records.length - 1; i >= 1; i--) {
    const [previous, record] = [records[i - 1] ?? START, records[i] ?? START];
    budget -= rawSize(previous, record);
    if (budget < 0 && events.length > 0) break;
    events.push(await render(raw, previous, record));
  }
  const next = to - events.length;
  return { events, nextToken: next > from ? String(next) : null };
}

/** Record `first - 1`, which contains where event `first` begins, and `count` records after it. */
async function withPrevious(
  source: EventSource,
  first: number,
  count: number,
): Promise<readonly EventRecord[]> {
  if (first === 0) return [START, ...(await source.records(0, count))];
  return await source.records(first - 1, count + 1);
}

function rawSize(previous: EventRecord, record: EventRecord): number {
  return record.lost ? 0 : record.end - previous.end;
}

async function render(
  raw: RawWindow,
  previous: EventRecord,
  record: EventRecord,
): Promise<PageEvent> {
  const { time } = record;
  if (record.lost) return { time, text: lostText(record.end - previous.end, previous.carry) };
  const machine = new TerminalText(previous.end, previous.carry);
  let text = '';
  const add = (piece: TextPiece) => {
    text += piece.text;
  };
  for (let at = previous.end; at < record.end; at += WINDOW_BYTES) {
    machine.feed(await raw.bytes(at, Math.min(record.end, at + WINDOW_BYTES)), add);
  }
  const rest = machine.finish(add);
  return { time, text: rest ? text + rest.text : text };
}

const WINDOW_BYTES = 256 * 1024;

/** Reads the raw bytes of a page in large pieces, forwards or backwards, between two offsets. */
class RawWindow {
  readonly #source: EventSource;
  readonly #from: number;
  readonly #to: number;
  readonly #backwards: boolean;
  #start = 0;
  #bytes: Uint8Array = new Uint8Array();

  constructor(source: EventSource, records: readonly EventRecord[], backwards: boolean) {
    this.#source = source;
    this.#from = records[0]?.end ?? 0;
    this.#to = records.at(-1)?.end ?? 0;
    this.#backwards = backwards;
  }

  /** At most `WINDOW_BYTES` bytes. */
  async bytes(from: number, to: number): Promise<Uint8Array> {
    if (from < this.#start || to > this.#start + this.#bytes.length) {
      const start = this.#backwards ? Math.max(this.#from, to - WINDOW_BYTES) : from;
      const end = this.#backwards ? to : Math.min(this.#to, from + WINDOW_BYTES);
      this.#bytes = await this.#source.raw(start, end);
      this.#start = start;
    }
    return this.#bytes.subarray(from - this.#start, to - this.#start);
  }
}

/** Number of the first event later than `time`. */
export async function firstAfter(source: EventSource, time: number): Promise<number> {
  let low = 0;
  let high = source.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const [record] = await source.records(middle, 1);
    if (record && record.time > time) high = middle;
    else low = middle + 1;
  }
  return low;
}
