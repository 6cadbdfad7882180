import type { ChangeMessage, Run } from '@dstack/contract/wire';
import type { QueryClient, QueryKey } from '@tanstack/react-query';
import { refreshRunLists } from '../runs/run-cache.ts';
import { applyPull, applyRuns } from '../runs/run-changes.ts';

/** Remembered versions; the oldest are forgotten. */
const MOST_VERSIONS = 20_000;

/** Applies changes in batches: one rendering for all that arrive within a frame. */
export class ChangeApplier {
  readonly #cache: QueryClient;
  readonly #schedule: (run: () => void) => void;
  readonly #versions = new Map<string, number>();
  #waiting: ChangeMessage[] = [];

  constructor(cache: QueryClient, schedule: (run: () => void) => void) {
    this.#cache = cache;
    this.#schedule = schedule;
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

  #flush(): void {
    const changes = this.#waiting;
    this.#waiting = [];
    const runs = new Map<string, Run>();
    let hasUnread = false;
    const outdated = new Map<string, QueryKey>();
    const outdate = (...key: readonly string[]) => outdated.set(key.join(' '), key);
    for (const change of changes) {
      switch (change.type) {
        case 'run':
          if (change.data === undefined) hasUnread = true;
          else runs.set(change.id, change.data);
          outdate('run', 'one');
          outdate('run', 'explain');
          break;
        case 'job':
          outdate('run', 'one');
          outdate('run', 'explain');
          break;
        case 'pull':
          if (change.data !== undefined) applyPull(this.#cache, change.id, change.data.progress);
          break;
        case 'metrics':
          outdate('metrics');
          break;
        case 'event':
          outdate('event');
          outdate('run', 'events');
          break;
        default:
          outdate(change.type);
      }
    }
    if (hasUnread) void refreshRunLists(this.#cache);
    if (runs.size > 0) applyRuns(this.#cache, [...runs.values()]);
    for (const queryKey of outdated.values()) void this.#cache.invalidateQueries({ queryKey });
  }
}
