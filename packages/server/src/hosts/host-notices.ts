/** Sends agents the place where their provider announces that it takes their machine back, and stores what they find. */
import type { Backend } from '@dstack/backends';
import type { HostNotice, NoticeWatch } from '@dstack/contract/agent';
import {
  type BackendName,
  capabilitiesOf,
  type Id,
  type InstanceRecord,
  type Timestamp,
  takeBackInstance,
} from '@dstack/core';
import type { Store } from '@dstack/store';
import type { Logger } from '../process/logging.ts';
import type { AgentClient } from './agent-client.ts';
import { HostPushes } from './host-pushes.ts';

export interface HostNoticesOptions {
  readonly store: Pick<Store, 'instances' | 'engine'>;
  readonly backend: (projectId: Id, name: BackendName) => Promise<Backend | null>;
  readonly client: (hostId: string) => Pick<AgentClient, 'watchNotices'> | null;
  readonly now: () => Timestamp;
  readonly log: Logger;
  readonly retryMs?: number;
}

interface Received {
  readonly notice: HostNotice;
  /** By a clock that no step moves, in milliseconds. */
  readonly at: number;
}

export class HostNotices {
  readonly #options: HostNoticesOptions;
  readonly #watches: HostPushes;
  readonly #stored: HostPushes;
  /** The newest notice of each host that is not stored yet. */
  readonly #received = new Map<string, Received>();

  constructor(options: HostNoticesOptions) {
    this.#options = options;
    const { client, log, retryMs } = options;
    const isLinked = (hostId: string) => client(hostId) !== null;
    const common = { log, isLinked, retryMs };
    this.#watches = new HostPushes({
      ...{ ...common, what: 'watch for notices of the provider' },
      push: (hostId) => this.#push(hostId),
    });
    this.#stored = new HostPushes({
      ...{ ...common, what: 'notice of the provider' },
      push: (hostId) => this.#store(hostId),
    });
  }

  connected(hostId: string): void {
    this.#watches.push(hostId);
  }

  /** The agent sends it again with each connection. */
  take(hostId: string, notice: HostNotice): void {
    for (const id of this.#received.keys()) {
      if (this.#options.client(id) === null) this.#received.delete(id);
    }
    this.#received.set(hostId, { notice, at: performance.now() });
    this.#stored.push(hostId);
  }

  close(): void {
    this.#watches.close();
    this.#stored.close();
    this.#received.clear();
  }

  async #push(hostId: string): Promise<void> {
    const { store, client } = this.#options;
    const [instance] = await store.instances.onHost(hostId);
    const watch = instance && (await this.#watchOf(instance));
    if (watch) await client(hostId)?.watchNotices(watch);
  }

  async #store(hostId: string): Promise<void> {
    const { store, now } = this.#options;
    const received = this.#received.get(hostId);
    if (received === undefined) return;
    const { left_secs, reason, at: written } = received.notice;
    for (const instance of await store.instances.onHost(hostId)) {
      const watch = await this.#watchOf(instance);
      // A host whose provider announces nothing decides about no instance.
      if (!watch) continue;
      const most = Math.max(0, ...watch.sources.map(({ leaves_secs }) => leaves_secs));
      const passed = (performance.now() - received.at) / 1000;
      const left = Math.max(0, Math.min(left_secs, most) - passed);
      const words = [reason, written].filter((text) => text !== null).join(' at ');
      const notice = { reason: words.replace(/\s+/g, ' ').trim(), left };
      await store.engine.updateInstance(instance.id, (held) =>
        takeBackInstance(held, notice, now()),
      );
    }
    if (this.#received.get(hostId) === received) this.#received.delete(hostId);
  }

  /** Null: its provider announces nothing. */
  async #watchOf({ backend, projectId }: InstanceRecord): Promise<NoticeWatch | null> {
    if (backend === null || capabilitiesOf(backend).owner !== 'provider') return null;
    const found = await this.#options.backend(projectId, backend);
    return found?.instances?.notices ?? null;
  }
}
