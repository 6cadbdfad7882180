import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import type { DecisionContext, Id } from '@dstack/core';
import type { Store } from '@dstack/store';
import type { RunChanges } from '../../loops/run-changes.ts';
import { wireJson } from '../json.ts';
import { wireRun } from '../mapping/run.ts';
import type { HttpSettings } from '../ports.ts';
import { Bell } from './bell.ts';

export interface WatchRun {
  readonly store: Pick<Store, 'runs' | 'changes' | 'shared'>;
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

/** The least time between two messages about pulls: the agent of each job reports five times a second. */
const PULL_MS = 1000;

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
  let jobIds: ReadonlySet<Id> = new Set();
  const endPulls = followPulls(store, (jobId) => jobIds.has(jobId), ring);
  const alive = setInterval(() => {
    sink.write(': keep-alive\n\n');
    // Notifications of other servers are lost while the connection to the database is down.
    if (store.shared) ring();
  }, KEEP_ALIVE_MS);
  try {
    let sent = watch.seen;
    while (!signal.aborted) {
      const view = await store.runs.byId(runId);
      if (!view) return;
      jobIds = new Set(view.jobs.map((job) => job.id));
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
      await bell.rung();
    }
  } finally {
    clearInterval(alive);
    endPulls();
    unwatch();
    signal.removeEventListener('abort', ring);
    sink.end();
  }
}

/** No pass follows the progress of a pull. Returns the function that ends it. */
function followPulls(
  { changes }: Pick<Store, 'changes'>,
  isOfRun: (jobId: Id) => boolean,
  ring: () => void,
): () => void {
  let rungAt = Number.NEGATIVE_INFINITY;
  let next: NodeJS.Timeout | undefined;
  const ringPaced = () => {
    next = undefined;
    rungAt = performance.now();
    ring();
  };
  const unsubscribe = changes.subscribe((records) => {
    if (!records.some(({ kind, id }) => kind === 'pull' && isOfRun(id))) return;
    next ??= setTimeout(ringPaced, Math.max(0, rungAt + PULL_MS - performance.now()));
  }, ring);
  return () => {
    clearTimeout(next);
    unsubscribe();
  };
}

/** A run's cost grows constantly and does not count as a change. */
function digestOf(text: string): string {
  const essence = text.replace(/"cost":[\d.]+/, '');
  return createHash('sha256').update(essence).digest('base64url').slice(0, 22);
}
