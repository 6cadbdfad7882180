import type { ChangeMessage, Run } from '@dstack/contract/wire';
import type { QueryClient, QueryKey } from '@tanstack/react-query';
import { recentMetricsKey } from '../metrics/recent-metrics.ts';
import { overviewKey } from '../overview/overview-query.ts';
import { refreshRunLists } from '../runs/run-cache.ts';
import { applyPull, applyRuns } from '../runs/run-changes.ts';
import { runKeys } from '../runs/run-queries.ts';
import { applyRecord, applyToFleets } from './apply-records.ts';
import { Refresher } from './refresher.ts';

/** Remembered versions; the oldest are forgotten. */
const MOST_VERSIONS = 20_000;

/** The types of records that the overview sums up. */
const OVERVIEW: ReadonlySet<ChangeMessage['type']> = new Set(['run', 'job', 'instance', 'fleet']);

/** Applies changes in batches: one rendering for all that arrive within a frame. */
export class ChangeApplier {
  readonly #cache: QueryClient;
  readonly #schedule: (run: () => void) => void;
  readonly #refresher: Refresher;
  readonly #versions = new Map<string, number>();
  readonly #isHidden: () => boolean;
  #waiting: ChangeMessage[] = [];
  /** Runs have changed whose new state was not sent. */
  #hasUnread = false;

  constructor(
    cache: QueryClient,
    schedule: (run: () => void) => void,
    isHidden: () => boolean = () => globalThis.document?.visibilityState === 'hidden',
  ) {
    this.#cache = cache;
    this.#schedule = schedule;
    this.#isHidden = isHidden;
    this.#refresher = new Refresher(cache, undefined, isHidden);
  }

  readonly add = (change: ChangeMessage): void => {
    if (!this.#isNewer(change)) return;
    this.#waiting.push(change);
    if (this.#waiting.length === 1) this.#schedule(() => this.#flush());
  };

  /** Messages of several servers may overtake each other. */
  #isNewer({ type, id, version }: ChangeMessage): boolean {
    if (version === null) return true;
    const key = `${type} ${id}`;
    if ((this.#versions.get(key) ?? Number.NEGATIVE_INFINITY) >= version) return false;
    this.#versions.delete(key);
    this.#versions.set(key, version);
    if (this.#versions.size > MOST_VERSIONS) {
      const [oldest] = this.#versions.keys();
      if (oldest !== undefined) this.#versions.delete(oldest);
    }
    return true;
  }

  /** The page is shown again. */
  resume(): void {
    this.#refresher.resume();
    if (!this.#hasUnread) return;
    this.#hasUnread = false;
    void refreshRunLists(this.#cache);
  }

  #flush(): void {
    const changes = this.#waiting;
    this.#waiting = [];
    const runs = new Map<string, Run>();
    const outdated = new Map<string, QueryKey>();
    const outdate = (...key: QueryKey) => outdated.set(JSON.stringify(key), key);
    for (const change of changes) {
      switch (change.type) {
        case 'run':
          if (change.data === undefined) this.#hasUnread = true;
          else runs.set(change.id, change.data);
          for (const key of keysOfRun(change)) outdate(...key);
          // Other runs may wait for this one, so every explanation is outdated.
          outdate('run', 'explain');
          outdate('run', 'queue');
          outdate('board');
          outdate('fleet', 'jobs');
          break;
        case 'job':
          for (const key of keysOfRun(change)) outdate(...key);
          outdate('run', 'explain');
          outdate('run', 'queue');
          outdate('board');
          outdate('fleet', 'jobs');
          break;
        case 'instance':
        case 'fleet':
        case 'volume':
        case 'gateway':
          for (const key of this.#applyRecord(change)) outdate(...key);
          break;
        case 'pull':
          if (change.data !== undefined) applyPull(this.#cache, change.id, change.data.progress);
          break;
        case 'metrics':
          outdate('metrics');
          outdate(...recentMetricsKey(change.id));
          break;
        case 'event':
          outdate('event');
          outdate('run', 'events');
          break;
        default:
          outdate(change.type);
      }
    }
    if (changes.some(({ type }) => OVERVIEW.has(type))) outdate(...overviewKey);
    if (this.#hasUnread && !this.#isHidden()) {
      this.#hasUnread = false;
      void refreshRunLists(this.#cache);
    }
    if (runs.size > 0) applyRuns(this.#cache, [...runs.values()]);
    for (const queryKey of outdated.values()) this.#refresher.refresh(queryKey);
  }

  /** Returns the keys of what has to be asked for again. */
  #applyRecord(
    change: Extract<ChangeMessage, { type: 'instance' | 'fleet' | 'volume' | 'gateway' }>,
  ): readonly QueryKey[] {
    const { type, data } = change;
    if (data === undefined) return type === 'instance' ? [[type], ['fleet']] : [[type]];
    const lists = applyRecord(this.#cache, type, data);
    const keys = [...lists, [type, 'explain']];
    if (change.type !== 'instance' || change.data === undefined) return keys;
    const isKnown = applyToFleets(this.#cache, change.data);
    const more = [
      ['fleet', 'jobs'],
      ['fleet', 'explain'],
      ['instance', 'health'],
    ];
    return [
      ...keys,
      ...more,
      ...(isKnown
        ? []
        : [
            ['fleet', 'list'],
            ['fleet', 'one'],
          ]),
    ];
  }
}

/** The page of the run, which may be open by its name or by its id. */
function keysOfRun(change: Extract<ChangeMessage, { type: 'run' | 'job' }>): readonly QueryKey[] {
  const { project, data } = change;
  if (project === null || data === undefined) return [['run', 'one']];
  const [id, name] =
    change.type === 'run'
      ? [change.id, change.data?.run_spec.run_name ?? '']
      : [change.data?.run_id ?? '', change.data?.run_name ?? ''];
  return [runKeys.one(project, name), runKeys.one(project, id)];
}
