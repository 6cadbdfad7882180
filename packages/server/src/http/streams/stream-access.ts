import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { AccessRecord } from '@dstack/contract/wire';
import type { Id } from '@dstack/core';
import type { AccessPage } from '@dstack/proxy';

/** The numbers that were read last, by process. */
export type AccessCursors = ReadonlyMap<string, number>;

/** Reads what each process that answers requests has answered since then. */
export type ReadAccess = (runId: Id, after: AccessCursors) => Promise<Map<string, AccessPage>>;

export interface AccessStream {
  readonly runId: Id;
  readonly read: ReadAccess;
  readonly sink: Writable;
  readonly signal: AbortSignal;
  readonly follows: boolean;
  /** Milliseconds between two readings. */
  readonly everyMs?: number;
}

const EVERY_MS = 250;

/** Nothing is sent between processes, and no timer runs, while no client reads. */
export async function streamAccess(stream: AccessStream): Promise<void> {
  const { runId, read, sink, signal, follows, everyMs = EVERY_MS } = stream;
  const cursors = new Map<string, number>();
  for (let isFirst = true; !signal.aborted; isFirst = false) {
    const pages = await read(runId, cursors);
    for (const [id, { next }] of pages) cursors.set(id, next);
    const all = [...pages.values()];
    const skipped = all.reduce((sum, page) => sum + page.skipped, 0);
    const records = all.flatMap((page) => page.records).sort((a, b) => a.time - b.time);
    const text = (skipped > 0 ? message('skipped', skipped) : '') + requests(records, isFirst);
    if (text !== '' && !sink.write(text)) await once(sink, 'drain', { signal }).catch(() => {});
    if (!follows) break;
    await delay(everyMs, undefined, { signal }).catch(() => {});
  }
  sink.end();
}

/** The first message comes even if there were no requests. */
function requests(records: readonly AccessRecord[], isFirst: boolean): string {
  return records.length > 0 || isFirst ? message('requests', records) : '';
}

const message = (event: string, data: unknown) =>
  `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
