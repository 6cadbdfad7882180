import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { isJobPulling } from '@dstack/contract/status';
import type { DecisionContext, Id } from '@dstack/core';
import type { RunView, Store } from '@dstack/store';
import type { RunChanges } from '../../loops/run-changes.ts';
import { wireJson } from '../json.ts';
import { wireRun } from '../mapping/run.ts';
import type { HttpSettings } from '../ports.ts';
import { Bell } from './bell.ts';

export interface WatchRun {
  readonly store: Pick<Store, 'runs' | 'shared'>;
  readonly changes: RunChanges;
  readonly context: () => DecisionContext;
  readonly settings: Pick<HttpSettings, 'sshEntry' | 'serviceOrigins'>;
  readonly runId: Id;
  /** Id of the last message that the client has received. */
  readonly seen: string | null;
  readonly sink: Writable;
  readonly signal: AbortSignal;
}

const KEEP_ALIVE_MS = 15_000;

/**
 * The progress of an image pull changes without an event. If another server receives the reports,
 * this server must poll for them.
 */
const SHARED_PULL_MS = 1000;

/**
 * Sends the run now and whenever it differs from the last message, until the client disconnects or
 * the run is deleted: `id: <digest>`, `event: run`, `data: <Run>`. Changes during the sending of a
 * message are combined into one. The id identifies the state on every server: a client that sends
 * it only receives a different state.
 */
export async function watchRun(watch: WatchRun): Promise<void> {
  const { store, changes, runId, sink, signal } = watch;
  const bell = new Bell();
  const unwatch = changes.watch(runId, () => bell.ring());
  const ring = () => bell.ring();
  signal.addEventListener('abort', ring);
  const alive = setInterval(() => {
    sink.write(': keep-alive\n\n');
    // Notifications of other servers are lost while the connection to the database is down.
    if (store.shared) ring();
  }, KEEP_ALIVE_MS);
  let pulling: NodeJS.Timeout | undefined;
  try {
    let sent = watch.seen;
    while (!signal.aborted) {
      const view = await store.runs.byId(runId);
      if (!view) return;
      const text = wireJson(
        wireRun(view, {
          now: watch.context().now,
          entry: watch.settings.sshEntry,
          origins: watch.settings.serviceOrigins,
          connection: true,
        }),
      );
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

/** A run's cost grows constantly and does not count as a change. */
function digestOf(text: string): string {
  const essence = text.replace(/"cost":[\d.]+/, '');
  return createHash('sha256').update(essence).digest('base64url').slice(0, 22);
}
