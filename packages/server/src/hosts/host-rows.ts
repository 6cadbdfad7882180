import type { AgentInfo } from '@dstack/contract/agent';
import type { HostRecord, Signal, Timestamp } from '@dstack/core';
import type { Store } from '@dstack/store';
import { Serial } from '../logs/serial.ts';
import type { Logger } from '../process/logging.ts';

export interface HostRowsOptions {
  readonly store: Pick<Store, 'hosts' | 'instances' | 'engine'>;
  readonly now: () => Timestamp;
  /** Whether this server lacks what it needs to reach any host. */
  readonly isShort?: () => boolean;
  readonly log: Logger;
}

/** Why a host is not connected. `failed`: no repetition can help. */
export interface Disconnection {
  readonly error: string;
  readonly failed?: boolean;
}

/**
 * The rows of hosts: connected or not, since when, and why. Only the server that holds the lease on a
 * host calls these. Writes to one host are made in the order of the calls, so that a late progress
 * report does not overwrite the state of a newer connection.
 */
export class HostRows {
  readonly #options: HostRowsOptions;
  readonly #order = new Map<string, Serial>();
  /** Hosts whose link is open and whose row does not exist yet; a deleted row does not come back. */
  readonly #new = new Set<string>();
  /** Hosts whose state is stored, but was not signalled because the database broke in between. */
  readonly #unsignalled = new Set<string>();
  /** The last reason that was logged for each unreachable host. */
  readonly #logged = new Map<string, string>();

  constructor(options: HostRowsOptions) {
    this.#options = options;
  }

  /**
   * Since when a host is unreachable is counted from the start of the server: without a server it
   * could not be reached. A new host is stored with the first report about it.
   */
  async opened(hostId: string): Promise<void> {
    await this.#inOrder(hostId, async () => {
      const before = await this.#options.store.hosts.byId(hostId);
      if (before === null) {
        this.#new.add(hostId);
        return;
      }
      // The reason of the last attempt is more useful than the fact that there is a new one.
      const error = (!before.connected && before.error) || 'not connected yet';
      await this.#write(hostId, before, { connected: false, error, failed: false });
    });
  }

  async connected(hostId: string, info: AgentInfo): Promise<void> {
    await this.#inOrder(hostId, async () => {
      const before = await this.#options.store.hosts.byId(hostId);
      await this.#write(hostId, before, { connected: true, error: null, failed: false, info });
    });
    this.#logged.delete(hostId);
    this.#options.log.info({ host: hostId, executor: info.executor }, 'agent connected');
  }

  /**
   * A server that can open no connection learns nothing about a host: it declares none unreachable, and
   * the time since when a host is unreachable begins again with each attempt.
   */
  async disconnected(hostId: string, { error, failed = false }: Disconnection): Promise<void> {
    this.#logReason(hostId, error);
    await this.#inOrder(hostId, async () => {
      const before = await this.#options.store.hosts.byId(hostId);
      if (this.#options.isShort?.()) {
        if (before?.connected === false) {
          await this.#write(hostId, before, { connected: false, error, failed: before.failed });
        }
        return;
      }
      const isKnown = before?.connected === false;
      if (isKnown) await this.#writeReason(before, error, failed);
      else await this.#write(hostId, before, { connected: false, error, failed });
      if (isKnown && this.#unsignalled.has(hostId)) await this.#signal(hostId);
    });
  }

  /** A stage of bringing the agent to a host, shown with the instance until the agent connects. */
  async progress(hostId: string, text: string): Promise<void> {
    await this.#inOrder(hostId, async () => {
      const before = await this.#options.store.hosts.byId(hostId);
      if (before?.connected === false) await this.#writeReason(before, text, false);
      else if (before === null && this.#new.has(hostId)) {
        await this.#write(hostId, null, { connected: false, error: text, failed: false });
      }
    });
  }

  /** Also wakes what waits for its agent, which will never answer, at any server. */
  async delete(hostId: string): Promise<void> {
    await this.#inOrder(hostId, async () => {
      await this.#options.store.hosts.delete(hostId);
      await this.#signal(hostId);
    });
    this.forget(hostId);
  }

  /** Deletes the state that this process holds. */
  forget(hostId: string): void {
    this.#new.delete(hostId);
    this.#unsignalled.delete(hostId);
    this.#logged.delete(hostId);
    this.#order.delete(hostId);
  }

  async #write(
    hostId: string,
    before: HostRecord | null,
    state: Pick<HostRecord, 'connected' | 'error' | 'failed'> & { readonly info?: AgentInfo },
  ): Promise<void> {
    const { store, now } = this.#options;
    const { info, ...link } = state;
    this.#new.delete(hostId);
    const facts = info?.host ?? before?.facts ?? null;
    const executor = info?.executor ?? before?.executor ?? null;
    this.#unsignalled.add(hostId);
    await store.hosts.save({ id: hostId, ...link, since: now(), facts, executor });
    await this.#signal(hostId);
  }

  async #signal(hostId: string): Promise<void> {
    const { engine } = this.#options.store;
    // Read after the write: an instance that is bound to the host later reads the stored state.
    await engine.signal(await engine.hostDependants(hostId));
    this.#unsignalled.delete(hostId);
  }

  /** Still unreachable, but for another reason than before. */
  async #writeReason(host: HostRecord, error: string, failed: boolean): Promise<void> {
    if (host.error === error && host.failed === failed) return;
    const instances = await this.#options.store.instances.onHost(host.id);
    const signals = instances.map(({ id }): Signal => ({ kind: 'instance', id }));
    await this.#options.store.hosts.save({ ...host, error, failed }, { signals });
  }

  /** Attempts continue without end; only a new reason is logged. */
  #logReason(hostId: string, reason: string): void {
    if (this.#logged.get(hostId) === reason) return;
    this.#logged.set(hostId, reason);
    this.#options.log.warn({ host: hostId, reason }, 'agent unreachable');
  }

  #inOrder(hostId: string, write: () => Promise<void>): Promise<void> {
    const order = this.#order.get(hostId) ?? new Serial();
    this.#order.set(hostId, order);
    return order.run(write);
  }
}
