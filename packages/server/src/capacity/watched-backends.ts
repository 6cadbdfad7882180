import { setTimeout as delay } from 'node:timers/promises';
import type { Backend } from '@dstack/backends';
import { isInstanceActive } from '@dstack/contract/status';
import type { Id, Signal } from '@dstack/core';
import type { Store } from '@dstack/store';
import type { Logger } from '../logging.ts';

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
    let changed = new Set<string>();
    let turn: Promise<unknown> = Promise.resolve();
    const flush = async () => {
      await turn;
      turn = delay(TOGETHER_MS);
      const ids = changed;
      changed = new Set();
      await this.#observe(projectId, name, (handleId) => ids.has(handleId));
    };
    const end = instances.watch((handleId) => {
      if (changed.add(handleId).size > 1) return;
      flush().catch((error) => {
        this.#options.log.warn({ backend: name, err: error }, 'reported changes not looked up');
      });
    });
    await this.#observe(projectId, name, () => true);
    return end;
  }

  async #observe(
    projectId: Id,
    backend: Backend['name'],
    isMeant: (handleId: string) => boolean,
  ): Promise<void> {
    const { store } = this.#options;
    const found = await store.instances.list({ projectIds: [projectId] });
    const ids = found
      .map(({ instance }) => instance)
      .filter((one) => one.backend === backend && isInstanceActive(one.status))
      .filter((one) => one.handle !== null && isMeant(one.handle.id))
      .map(({ id }) => id);
    for (const id of ids) this.#options.onReport?.(id);
    const signals = ids.map((id): Signal => ({ kind: 'observation', id }));
    if (signals.length > 0) await store.engine.signal(signals);
  }
}
