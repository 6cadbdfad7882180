import { setTimeout as delay } from 'node:timers/promises';
import type { Backend } from '@dstack/backends';
import type { Id, Signal } from '@dstack/core';
import type { Store } from '@dstack/store';
import type { Logger } from '../process/logging.ts';

export interface WatchedBackendsOptions {
  readonly store: Pick<Store, 'instances' | 'engine'>;
  readonly log: Logger;
  /** Called with each instance whose backend reports a change; it may be reachable again. */
  readonly onReport?: (instanceId: Id) => void;
}

/** A first change is observed at once; those that follow within this time, together. */
const TOGETHER_MS = 20;

/**
 * Orders observations of instances as soon as their backends report a change, and of all instances
 * when a watch begins, because earlier changes were not reported.
 */
export class WatchedBackends {
  readonly #options: WatchedBackendsOptions;

  constructor(options: WatchedBackendsOptions) {
    this.#options = options;
  }

  /** Does nothing for a backend that reports no changes. Returns the function that ends the watch. */
  async watch(projectId: Id, { name, instances }: Backend): Promise<() => void> {
    if (!instances?.watch) return () => {};
    const report = this.#reporter(projectId, name);
    const stop = instances.watch(report.changed);
    const end = () => {
      report.end();
      stop();
    };
    try {
      await this.#observe(projectId, name, () => true);
    } catch (error) {
      end();
      throw error;
    }
    return end;
  }

  /** A change that is not reported would not be noticed again, so it is kept until it is signalled. */
  #reporter(projectId: Id, backend: Backend['name']) {
    let changed = new Set<string>();
    let isBusy = false;
    let isEnded = false;
    const flush = async () => {
      isBusy = true;
      for (let failures = 0; changed.size > 0 && !isEnded; ) {
        const ids = changed;
        changed = new Set();
        try {
          await this.#observe(projectId, backend, (handleId) => ids.has(handleId));
          failures = 0;
        } catch (error) {
          failures += 1;
          changed = new Set([...ids, ...changed]);
          this.#options.log.warn({ backend, err: error }, 'reported changes not looked up');
        }
        const ms = failures === 0 ? TOGETHER_MS : retryDelay(failures);
        await delay(ms, undefined, { ref: false });
      }
      isBusy = false;
    };
    return {
      changed: (handleId: string) => {
        changed.add(handleId);
        if (!isBusy) void flush();
      },
      end: () => {
        isEnded = true;
      },
    };
  }

  async #observe(
    projectId: Id,
    backend: Backend['name'],
    isMeant: (handleId: string) => boolean,
  ): Promise<void> {
    const { store } = this.#options;
    const made = await store.instances.madeBy(projectId, backend);
    const ids = made.filter(({ handle }) => isMeant(handle.id)).map(({ id }) => id);
    for (const id of ids) this.#options.onReport?.(id);
    const signals = ids.map((id): Signal => ({ kind: 'observation', id }));
    if (signals.length > 0) await store.engine.signal(signals);
  }
}

/** 100 ms, 200 ms, … up to 30 s. */
function retryDelay(failures: number): number {
  return Math.min(30_000, 100 * 2 ** (failures - 1));
}
