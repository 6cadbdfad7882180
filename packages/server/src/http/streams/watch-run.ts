import { once } from 'node:events';
import type { Writable } from 'node:stream';
import type { DecisionContext, Id } from '@dstack/core';
import type { Store } from '@dstack/store';
import type { RunChanges } from '../../loops/run-changes.ts';
import { wireJson } from '../json.ts';
import { wireRun } from '../mapping/run.ts';
import { Bell } from './bell.ts';

export interface WatchRun {
  readonly store: Pick<Store, 'runs' | 'shared'>;
  readonly changes: RunChanges;
  readonly context: () => DecisionContext;
  readonly runId: Id;
  readonly sink: Writable;
  readonly signal: AbortSignal;
}

const KEEP_ALIVE_MS = 15_000;

/** Another server's passes are not heard here; on a shared database this bounds the delay. */
const SHARED_POLL_MS = 1000;

/**
 * Sends the run now and whenever it differs from what was sent last, until the client leaves or the
 * run is finished: `event: run`, `data: <Run>`. Changes that come while a message is being sent are
 * sent as one.
 */
export async function watchRun(watch: WatchRun): Promise<void> {
  const { store, changes, runId, sink, signal } = watch;
  const bell = new Bell();
  const unwatch = changes.watch(runId, () => bell.ring());
  const ring = () => bell.ring();
  signal.addEventListener('abort', ring);
  const alive = setInterval(() => sink.write(': keep-alive\n\n'), KEEP_ALIVE_MS);
  const poll = store.shared ? setInterval(ring, SHARED_POLL_MS) : undefined;
  try {
    let sent = '';
    while (!signal.aborted) {
      const view = await store.runs.byId(runId);
      if (!view) return;
      const text = wireJson(wireRun(view, { now: watch.context().now, connection: true }));
      const essence = withoutClock(text);
      if (essence !== sent && !sink.write(`event: run\ndata: ${text}\n\n`)) {
        await once(sink, 'drain', { signal }).catch(() => {});
      }
      sent = essence;
      await bell.rung();
    }
  } finally {
    clearInterval(alive);
    clearInterval(poll);
    unwatch();
    signal.removeEventListener('abort', ring);
    sink.end();
  }
}

/** A run's cost grows by itself; that alone is no news. */
function withoutClock(text: string): string {
  return text.replace(/"cost":[\d.]+/, '');
}
