import { isInstanceActive } from '@dstack/contract/status';
import { fleetEnv, type Id, type InstanceRecord } from '@dstack/core';
import { asHostError } from '@dstack/ssh';
import type { HostAccessRecord, Store } from '@dstack/store';
import type { Logger } from '../../process/logging.ts';
import type { AgentClient } from '../agent-client.ts';
import type { AgentAccess, Hosts } from '../hosts.ts';
import type { Connectors, HostConnection } from './connector.ts';
import { Turns } from './turns.ts';

export interface SupervisorOptions {
  readonly store: Pick<Store, 'shared' | 'hostAccess' | 'instances' | 'fleets'>;
  readonly hosts: Pick<Hosts, 'add' | 'has' | 'hold' | 'remove' | 'delete' | 'reportProgress'>;
  readonly connectors: Connectors;
  readonly log: Logger;
}

/** If several servers share a database: how often hosts without a server are looked for. */
const FOLLOW_MS = 3000;
/**
 * Far below the duration of a lease: a host is free once the lease of a dead server has expired.
 */
const KEEP_MS = 1000;
/** Installations of agents at a time: each copies up to 60 MB. */
const DEPLOYMENTS = 32;

/**
 * Keeps a link to the agent of every existing instance, whatever its access: installs the agent,
 * upgrades it, and removes it when the instance is released. If several servers share a database,
 * each host is linked to one of them, by a lease.
 */
export class LinkSupervisor {
  readonly #options: SupervisorOptions;
  readonly #known = new Map<Id, HostConnection>();
  readonly #linked = new Set<Id>();
  /** Hosts that this server has connected to although another server may be linked to them. */
  readonly #unlinked = new Set<Id>();
  /** Hosts on which no agent has been installed since they were added. */
  readonly #new = new Set<Id>();
  /** Hosts whose last preparation failed. */
  readonly #failing = new Set<Id>();
  /** Hosts from which the agent is being removed, over the connection that is known. */
  readonly #leaving = new Set<Id>();
  readonly #turns = new Turns(DEPLOYMENTS);
  readonly #timers = new Set<NodeJS.Timeout>();
  #closed = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Opens the links to all instances that exist. */
  async start(): Promise<void> {
    await this.#followAll();
    if (this.#options.store.shared) this.#repeat(FOLLOW_MS, () => this.#followAll());
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const connection of this.#known.values()) connection.close();
    this.#known.clear();
  }

  /**
   * Keeps the link to an agent that belongs to no single instance (that of the server host), also
   * after its lease was lost.
   */
  async keep(access: AgentAccess): Promise<void> {
    const { hosts } = this.#options;
    const link = async () => {
      if (!hosts.has(access.hostId)) await hosts.add(access);
    };
    await link();
    this.#repeat(KEEP_MS, link);
  }

  /** An instance has been created, or its address has become known. */
  async follow(id: Id): Promise<void> {
    if (this.#linked.has(id)) return;
    const [record] = await this.#options.store.hostAccess.byIds([id]);
    const [instance] = await this.#options.store.instances.byIds([id]);
    if (record && instance && isInstanceActive(instance.status)) await this.#link(record, instance);
  }

  /**
   * Removes the agent from a host that leaves its fleet. Rejects with a `HostError`, and even then
   * deletes what is stored of the host: an unreachable host does not delay its removal.
   */
  async removeAgent(id: Id): Promise<void> {
    const { store, hosts } = this.#options;
    const record = await store.hostAccess.byId(id);
    if (!record) return;
    await this.#inTurn(record, async () => {
      this.#leaving.add(id);
      try {
        // A server that opened a link now would install the agent again.
        await hosts.hold(id);
        this.#linked.delete(id);
        const [instance] = await store.instances.byIds([id]);
        const connection = await this.#connection(record, instance ?? null);
        await this.#removeBy(connection, id);
      } finally {
        this.#leaving.delete(id);
        this.#drop(id);
      }
    });
  }

  async #removeBy(connection: HostConnection, id: Id): Promise<void> {
    try {
      await connection.remove({ briefly: this.#failing.has(id) });
    } catch (error) {
      // There may never have been an agent.
      if (!this.#new.has(id)) throw error;
    } finally {
      await this.forget(id);
    }
  }

  /** Ends the link to an instance that is being released; no server opens one again. */
  async hold(id: Id): Promise<void> {
    await this.#options.hosts.hold(id);
    this.#linked.delete(id);
    this.#drop(id);
  }

  /** Deletes what is stored of the host of an instance that no longer exists. */
  async forget(id: Id): Promise<void> {
    const { store, hosts } = this.#options;
    this.#linked.delete(id);
    this.#new.delete(id);
    this.#failing.delete(id);
    await store.hostAccess.delete([id]);
    await hosts.delete(id);
    this.#drop(id);
  }

  /**
   * Commands to a host to which another server is linked, over a connection of this server: any
   * server may receive requests for services. Null: this server has no access to the host.
   */
  clientOf(hostId: Id): AgentClient | null {
    const connection = this.#known.get(hostId);
    if (!connection) return null;
    this.#unlinked.add(hostId);
    return connection.client;
  }

  /** Links to hosts without a server, and drops links that have ended. */
  async #followAll(): Promise<void> {
    const { store, hosts } = this.#options;
    const ids = new Set(await store.hostAccess.linkableIds());
    for (const id of [...this.#linked]) {
      if (hosts.has(id) && ids.has(id)) continue;
      // Another server has taken it over, or has released the instance.
      this.#linked.delete(id);
      if (!ids.has(id)) await hosts.remove(id);
      this.#drop(id);
    }
    for (const id of [...this.#unlinked]) {
      if (ids.has(id)) continue;
      this.#unlinked.delete(id);
      this.#drop(id);
    }
    const missing = [...ids].filter((id) => !this.#linked.has(id));
    const records = await store.hostAccess.byIds(missing);
    const instances = new Map((await store.instances.byIds(missing)).map((one) => [one.id, one]));
    for (const record of records) {
      const instance = instances.get(record.instanceId);
      if (instance) await this.#link(record, instance);
    }
  }

  async #link(record: HostAccessRecord, instance: InstanceRecord): Promise<void> {
    const { instanceId: id } = record;
    if (this.#closed || this.#linked.has(id)) return;
    const connection = await this.#connection(record, instance);
    if (this.#closed || this.#linked.has(id)) return;
    if (instance.provisioningData === null) this.#new.add(id);
    const { dial, token } = connection;
    const prepare = () => this.#prepare(record, connection);
    if (await this.#options.hosts.add({ hostId: id, dial, token, prepare })) this.#linked.add(id);
  }

  async #prepare(record: HostAccessRecord, connection: HostConnection): Promise<void> {
    const { instanceId: id } = record;
    const report = (stage: string) => {
      this.#options.hosts.reportProgress(id, this.#about(record, stage)).catch((error) => {
        this.#options.log.warn({ host: id, err: error }, 'progress not stored');
      });
    };
    try {
      await this.#inTurn(record, () => connection.prepare(report));
      this.#new.delete(id);
      this.#failing.delete(id);
    } catch (error) {
      this.#failing.add(id);
      const failure = asHostError(error);
      throw failure.about(this.#about(record, failure.message));
    }
  }

  /** An instance that has never been in service has no address that identifies it for people. */
  #about({ instanceId, access }: HostAccessRecord, text: string): string {
    if (access.kind !== 'ssh' || !this.#new.has(instanceId)) return text;
    const { hostname } = access.login;
    return text.includes(hostname) ? text : `${hostname}: ${text}`;
  }

  /** `instance`: null if it was deleted. */
  async #connection(
    record: HostAccessRecord,
    instance: InstanceRecord | null,
  ): Promise<HostConnection> {
    const { instanceId: id, access } = record;
    const env = this.#known.has(id) || instance === null ? {} : await this.#environment(instance);
    const known = this.#known.get(id);
    if (known) return known;
    const made = this.#options.connectors[access.kind](record, env);
    this.#known.set(id, made);
    return made;
  }

  async #environment({ fleetId }: InstanceRecord): Promise<Record<string, string>> {
    const fleet = await this.#options.store.fleets.recordById(fleetId);
    return fleet ? fleetEnv(fleet.spec) : {};
  }

  #drop(id: Id): void {
    if (this.#linked.has(id) || this.#leaving.has(id)) return;
    this.#known.get(id)?.close();
    this.#known.delete(id);
  }

  /** Installations and removals on one host run one after another. */
  async #inTurn<T>({ instanceId, access }: HostAccessRecord, work: () => Promise<T>): Promise<T> {
    const address =
      access.kind === 'ssh' ? `${access.login.hostname}:${access.login.port}` : instanceId;
    return await this.#turns.run(address, async () => {
      // The next start continues it; closing waits for the work under way, which can take minutes.
      if (this.#closed) throw new Error('The server is being stopped');
      return await work();
    });
  }

  #repeat(ms: number, task: () => Promise<void>): void {
    const again = () => {
      if (this.#closed) return;
      const timer = setTimeout(async () => {
        this.#timers.delete(timer);
        await task().catch((error) => {
          this.#options.log.warn({ err: error }, 'links to hosts could not be checked');
        });
        again();
      }, ms).unref();
      this.#timers.add(timer);
    };
    again();
  }
}
