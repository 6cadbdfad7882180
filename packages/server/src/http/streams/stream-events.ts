import { once } from 'node:events';
import type { Writable } from 'node:stream';
import type { ListEventsRequest } from '@dstack/contract/api';
import { type Id, SECOND } from '@dstack/core';
import type { EventView, Store } from '@dstack/store';
import { eventFilter } from '../events/service.ts';
import { wireJson } from '../json.ts';
import { wireEvent } from '../mapping/event.ts';
import { Bell } from './bell.ts';

/** The last event that a client has received: its time and its id. */
export interface EventCursor {
  readonly at: number;
  readonly id: Id | null;
}

export interface StreamEvents {
  readonly store: Pick<Store, 'events' | 'shared'>;
  /** Only events with a target in this project. */
  readonly projectId: Id;
  readonly request: ListEventsRequest;
  readonly from: EventCursor;
  readonly sink: Writable;
  readonly signal: AbortSignal;
}

const KEEP_ALIVE_MS = 15_000;

/**
 * Servers of one database may commit in another order than the times of their events, so the latest
 * part of the log is read again, in µs; sent events are remembered that long.
 */
const SHARED_OVERLAP = 10 * SECOND;

const PAGE = 100;

/**
 * Sends events as they are written, oldest first: `id: <µs>-<uuid>`, `event: event`,
 * `data: <Event>`, until the client disconnects.
 */
export async function streamEvents(stream: StreamEvents): Promise<void> {
  const { store, sink, signal } = stream;
  const bell = new Bell();
  const ring = () => bell.ring();
  const unsubscribe = store.events.onWritten(ring);
  signal.addEventListener('abort', ring);
  const alive = setInterval(() => {
    sink.write(': keep-alive\n\n');
    // Notifications of other servers are lost while the connection to the database is down.
    if (store.shared) ring();
  }, KEEP_ALIVE_MS);
  const reader = new Reader(stream);
  try {
    while (!signal.aborted) {
      for (let page = await reader.next(); page.length > 0; page = await reader.next()) {
        for (const event of page) {
          if (sink.write(message(event))) continue;
          await once(sink, 'drain', { signal }).catch(() => {});
        }
        if (signal.aborted) return;
      }
      await bell.rung();
    }
  } finally {
    clearInterval(alive);
    unsubscribe();
    signal.removeEventListener('abort', ring);
    sink.end();
  }
}

function message(event: EventView): string {
  return `id: ${event.recordedAt}-${event.id}\nevent: event\ndata: ${wireJson(wireEvent(event))}\n\n`;
}

class Reader {
  readonly #stream: StreamEvents;
  readonly #sent = new Map<Id, number>();
  #cursor: EventCursor;

  constructor(stream: StreamEvents) {
    this.#stream = stream;
    this.#cursor = stream.from;
    if (stream.from.id !== null) this.#sent.set(stream.from.id, stream.from.at);
  }

  /** The next events that were not sent; empty if there are none at present. */
  async next(): Promise<EventView[]> {
    const { store, projectId, request } = this.#stream;
    const filter = eventFilter(request);
    if (filter === null) return [];
    let after = this.#cursor;
    if (store.shared) after = { at: Math.max(this.#floor, after.at - SHARED_OVERLAP), id: null };
    for (;;) {
      const found = await store.events.list({
        ...filter,
        visibleTo: { userId: '', projectIds: [projectId] },
        page: { after, limit: PAGE, ascending: true },
      });
      const fresh = found.filter((event) => !this.#sent.has(event.id));
      for (const event of fresh) this.#remember(event);
      const last = found.at(-1);
      if (fresh.length > 0 || found.length < PAGE || last === undefined) return fresh;
      after = { at: last.recordedAt, id: last.id };
    }
  }

  /** Events before the client's start position are not read again. */
  get #floor(): number {
    return this.#stream.from.at;
  }

  #remember({ id, recordedAt }: EventView): void {
    if (recordedAt > this.#cursor.at) this.#cursor = { at: recordedAt, id };
    this.#sent.set(id, recordedAt);
    for (const [old, at] of this.#sent) {
      if (at >= this.#cursor.at - SHARED_OVERLAP) break;
      this.#sent.delete(old);
    }
  }
}
