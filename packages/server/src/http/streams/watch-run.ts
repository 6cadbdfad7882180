import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { isJobPulling } from '@dstack/contract/status';
import type { DecisionContext, Id } from '@dstack/core';
import type { RunView, Store } from '@dstack/store';
import type { RunChanges } from '../../loops/run-changes.ts';
import { wireJson } from '../json.ts';
import { wireRun } from '../mapping/run.ts';
import { Bell } from './bell.ts';

export interface WatchRun {
  readonly store: Pick<Store, 'runs' | 'shared'>;
  readonly changes: RunChanges;
  readonly context: () => DecisionContext;
  readonly runId: Id;
  /** Id of the last message that the client has. */
  readonly seen: string | null;
  readonly sink: Writable;
  readonly signal: AbortSignal;
}

const KEEP_ALIVE_MS = 15_000;

/**
 * How much of an image is pulled changes without an event: where another server may be the one that
 * is told, it is asked for.
 */
const SHARED_PULL_MS = 1000;

/**
 * Sends the run now and whenever it differs from what was sent last, until the client leaves or the
 * run is no more: `id: <digest>`, `event: run`, `data: <Run>`. Changes that come while a message is
 * being sent are sent as one. The id stands for what was sent, on every server: who has it is told
 * only what differs.
 */
export async function watchRun(watch: WatchRun): Promise<void> {
  const { store, changes, runId, sink, signal } = watch;
  const bell = new Bell();
  const unwatch = changes.watch(runId, () => bell.ring());
  const ring = () => bell.ring();
  signal.addEventListener('abort', ring);
  const alive = setInterval(() => {
    sink.write(': keep-alive\n\n');
    // What another server says is lost while the connection to the database is.
    if (store.shared) ring();
  }, KEEP_ALIVE_MS);
  let pulling: NodeJS.Timeout | undefined;
  try {
    let sent = watch.seen;
    while (!signal.aborted) {
      const view = await store.runs.byId(runId);
      if (!view) return;
      const text = wireJson(wireRun(view, { now: watch.context().now, connection: true }));
      const id = digestOf(text);
      if (id !== sent && !sink.write(`id: ${id}\nevent: run\ndata: ${text}\n\n`)) {
        await once(sink, 'drain', { signal }).catch(() => {});
      }
      sent = id;
      clearTimeout(pulling);
      if (store.shared && isPulling(view)) pulling = setTimeout(ring, SHARED_PULL_MS);
      await bell.rung();
    }
  } finally {
    clearInterval(alive);
    clearTimeout(pulling);
    unwatch();
    signal.removeEventListener('abort', ring);
    sink.end();
  }
}

function isPulling({ jobs }: RunView): boolean {
  return jobs.some((job) => isJobPulling(job.status));
}

/** A run's cost grows by itself; that alone is no news. */
function digestOf(text: string): string {
  const essence = text.replace(/"cost":[\d.]+/, '');
  return createHash('sha256').update(essence).digest('base64url').slice(0, 22);
}
