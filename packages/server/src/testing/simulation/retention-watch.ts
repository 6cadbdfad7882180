import { isJobFinished, isRunFinished } from '@dstack/contract/status';
import { type JobRecord, type RunRecord, SECOND } from '@dstack/core';
import type { Retention, Store } from '@dstack/store';
import type { LogStore } from '../../logs/log-store.ts';
import type { RetentionPolicy } from '../../retention/policy.ts';
import { Breach } from './breach.ts';

/** A year in minutes. Events stay, because the story is checked by them. */
export const RETENTION: RetentionPolicy = {
  ...{ runs: 600, logs: 600, uploads: 600, records: 1200, usage: 1200, ledger: 1200, health: 600 },
  events: 100 * 365 * 86_400,
  metrics: { running: 60, finished: 120, minutes: 120, hours: 600 },
};

/** Rows that belong to runs; all runs of a story are past their time in the end. */
const OF_RUNS = [
  ...['runs', 'jobs', 'job_reports', 'job_pulls', 'job_logs', 'job_liveness', 'probes'],
  ...['log_pieces', 'pending_deletions', 'volume_uses', 'upload_uses', 'service_requests'],
];

const ALL = 100_000;

export interface RetentionWatchParts {
  readonly store: Store;
  readonly now: () => number;
  readonly onBreach: (breach: Breach) => void;
}

/** 15: nothing that runs or is young is deleted, logs go before the rows that lead to them. */
export class RetentionWatch {
  readonly #parts: RetentionWatchParts;

  constructor(parts: RetentionWatchParts) {
    this.#parts = parts;
  }

  get retention(): Retention {
    const { store } = this.#parts;
    return {
      ...store.retention,
      deleteRuns: async (runs, before) => {
        const known = await Promise.all(runs.map(({ id }) => this.#rowsOf(id)));
        const count = await store.retention.deleteRuns(runs, before);
        for (const rows of known) if (rows !== null) await this.#checkDeleted(rows, before);
        return count;
      },
    };
  }

  logs(logs: LogStore): Pick<LogStore, 'delete'> {
    const { store, now, onBreach } = this.#parts;
    return {
      delete: async (ref) => {
        const view = await store.jobs.byId(ref.jobId);
        if (view !== null && !view.run.deleted) {
          const { status, finishedAt, name } = view.job;
          const isYoung =
            finishedAt === null || finishedAt > now() - (RETENTION.logs ?? 0) * SECOND;
          if (!isJobFinished(status) || isYoung) {
            onBreach(new Breach(15, `the log of ${name} (${status}) was deleted too early`));
          }
        }
        await logs.delete(ref);
      },
    };
  }

  async #rowsOf(id: string) {
    const { store } = this.#parts;
    const view = await store.runs.byId(id);
    return view && { run: view.run, jobs: await store.jobs.ofRun(id) };
  }

  async #checkDeleted(
    { run, jobs }: { readonly run: RunRecord; readonly jobs: readonly JobRecord[] },
    before: number,
  ): Promise<void> {
    const { store, onBreach } = this.#parts;
    const isGone = (await store.runs.byId(run.id)) === null;
    const left = await store.jobs.byIds(jobs.map((job) => job.id));
    if (!isGone) return;
    const isDue = isRunFinished(run.status) && run.lastProcessedAt < before;
    if (!isDue || !jobs.every((job) => isJobFinished(job.status))) {
      onBreach(new Breach(15, `run ${run.name} (${run.status}) was deleted too early`));
    }
    if (left.length > 0) onBreach(new Breach(15, `jobs outlived run ${run.name}`));
    const { jobIds } = await store.retention.strayLogs('', ALL);
    const pending = await store.retention.pendingLogs(Number.MAX_SAFE_INTEGER / 2, ALL);
    const known = new Set(pending.map(({ jobId }) => jobId));
    const lost = jobs.find((job) => jobIds.includes(job.id) && !known.has(job.id));
    if (lost)
      onBreach(new Breach(15, `run ${run.name} was deleted before the log of ${lost.name}`));
  }
}

/** 15: what is past its time is deleted, with all that belongs to it. */
export async function checkAllDeleted(store: Store): Promise<void> {
  const { tables } = await store.retention.use();
  const left = tables.filter(({ table, rows }) => OF_RUNS.includes(table) && rows > 0);
  if (left.length === 0) return;
  const text = left.map(({ table, rows }) => `${rows} of ${table}`).join(', ');
  throw new Breach(15, `rows of runs are left: ${text}`);
}
