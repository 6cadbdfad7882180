import { isInstancePending, isInstanceTerminated } from '@dstack/contract/status';
import {
  fleetHosts,
  type Id,
  type InstanceRecord,
  type IntentResult,
  machineOfHost,
  type Timestamp,
} from '@dstack/core';
import type { FleetView, SshHostRecord, Store } from '@dstack/store';
import type { Logger } from '../../logging.ts';
import { Serial } from '../../logs/serial.ts';
import type { AgentClient } from '../agent-client.ts';
import type { Hosts } from '../hosts.ts';
import type { HostError } from './host-error.ts';
import { JumpHosts } from './jump-hosts.ts';
import type { Programs } from './programs.ts';
import { asHostError, SshHost } from './ssh-host.ts';

export interface SshFleetsOptions {
  readonly store: Store;
  readonly hosts: Hosts;
  readonly programs: Programs;
  readonly serverId: string;
  readonly now: () => Timestamp;
  readonly log: Logger;
}

/** Where several servers share a database: how often hosts are looked for that have lost theirs. */
const FOLLOW_MS = 3000;

/** Not now: why, for the log and for the instance. */
export class HostNotReady extends Error {
  override name = 'HostNotReady';
}

/**
 * The hosts of SSH fleets: deployment, the links to their agents, removal. Where several servers
 * share a database each host is linked to one of them, by a lease.
 */
export class SshFleets {
  readonly #options: SshFleetsOptions;
  readonly #known = new Map<Id, SshHost>();
  readonly #linked = new Set<Id>();
  /** Hosts of which something was wanted here though they may be linked to another server. */
  readonly #visited = new Set<Id>();
  readonly #jumps = new JumpHosts();
  /** What is being done to a machine, by its address: deployments and removals take turns. */
  readonly #turns = new Map<string, Promise<unknown>>();
  /** What is said of hosts: a word that was late must not undo the link that came after it. */
  readonly #words = new Serial();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: SshFleetsOptions) {
    this.#options = options;
  }

  /** Begins with what takes longest of the first deployment, while somebody reads the plan. */
  expectHosts(): void {
    this.#options.programs.warm();
  }

  /** Opens the links to all hosts that have an agent. */
  async start(): Promise<void> {
    await this.#follow();
    if (this.#options.store.shared) this.#again();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const host of this.#known.values()) host.close();
    this.#known.clear();
  }

  /**
   * Brings the agent onto a host that was added to a fleet. Answers what the machine is, or a
   * refusal that no repetition can change; rejects with `HostNotReady` where one may.
   */
  async deploy(instance: InstanceRecord): Promise<IntentResult> {
    const { store } = this.#options;
    if (!isInstancePending(instance.status)) {
      // Its time was over: nothing of what was tried stays. One that is taken back has a removal.
      if (isInstanceTerminated(instance.status)) await this.remove(instance);
      return { kind: 'ok' };
    }
    const [record, fleet] = await Promise.all([
      store.sshHosts.byId(instance.id),
      store.fleets.byId(instance.fleetId),
    ]);
    if (!record || !fleet) return refused('The host is not known any more');
    return await this.#inTurn(record, async () => {
      try {
        return await this.#deploy(instance, record, fleet);
      } catch (error) {
        const failure = asHostError(error);
        const message = about(record, failure.message);
        await this.#tell(instance.id, message);
        if (failure.permanent) {
          await this.#takeBack(instance);
          await this.#dispose(instance.id);
          return refused(message);
        }
        this.#forget(instance.id);
        throw new HostNotReady(message, { cause: failure });
      }
    });
  }

  /** Takes the agent off a host that leaves; one that cannot be reached keeps nobody waiting. */
  async remove(instance: InstanceRecord): Promise<IntentResult> {
    const { store, log } = this.#options;
    const record = await store.sshHosts.byId(instance.id);
    if (!record) return { kind: 'ok' };
    return await this.#inTurn(record, async () => {
      const host = this.#make(record, {});
      let failure: HostError | null = null;
      this.#linked.delete(instance.id);
      // A server that opened a link now would bring the agent back.
      await this.#options.hosts.hold(instance.id);
      this.#forget(instance.id);
      try {
        await host.remove();
      } catch (error) {
        failure = asHostError(error);
        log.warn({ instance: instance.name, err: failure }, 'the agent was left on its host');
      } finally {
        host.close();
      }
      await this.#dispose(instance.id);
      const message = `The agent could not be removed from the host: ${failure?.message}`;
      return failure === null ? { kind: 'ok' } : refused(message);
    });
  }

  /**
   * Commands to a host to which another server is linked, over a connection of our own: requests for
   * services come to whichever server their caller knows. Null: it is not one of these hosts.
   */
  visit(hostId: Id): AgentClient | null {
    const host = this.#known.get(hostId);
    if (!host) return null;
    this.#visited.add(hostId);
    return host.client;
  }

  async #deploy(
    instance: InstanceRecord,
    record: SshHostRecord,
    { fleet }: FleetView,
  ): Promise<IntentResult> {
    const { configuration } = fleet.spec;
    const host = this.#host(record, envOf(configuration.env));
    const tell = (text: string) =>
      void this.#tell(instance.id, about(record, text)).catch((error) => {
        this.#options.log.warn({ instance: instance.name, err: error }, 'progress not stored');
      });
    const info = await host.deploy(tell);
    const named = configuration.ssh_config && fleetHosts(configuration.ssh_config);
    const listed = named?.find(({ hostname }) => hostname === record.login.hostname);
    const { login, proxy, internalIp } = record;
    const machine = machineOfHost({
      instanceId: instance.id,
      host: {
        ...{ hostname: login.hostname, user: login.user, port: login.port, internalIp },
        proxyJump: proxy && { ...proxy, key: null },
      },
      network: configuration.ssh_config?.network ?? null,
      blocks: listed?.blocks ?? configuration.blocks ?? 1,
      facts: info.host,
    });
    if (!machine.ok) {
      await host.remove();
      await this.#dispose(instance.id);
      return refused(about(record, machine.message));
    }
    await this.#tell(instance.id, about(record, 'Waiting for the agent'));
    await this.#link(record.instanceId, host);
    const { offer, provisioningData, totalBlocks } = machine;
    return { kind: 'host.deployed', offer, provisioningData, totalBlocks };
  }

  /** What a deployment that failed for good has left on its host goes, as far as it can be reached. */
  async #takeBack({ id, name }: InstanceRecord): Promise<void> {
    try {
      await this.#known.get(id)?.removeIfOpen();
    } catch (error) {
      this.#options.log.warn({ instance: name, err: error }, 'the host was not left as it was');
    }
  }

  /** Seen with the instance, until its agent is there. */
  async #tell(hostId: Id, text: string): Promise<void> {
    const { store, now } = this.#options;
    const host = { id: hostId, connected: false, since: now(), facts: null, executor: null };
    await this.#words.run(async () => {
      const present = await store.hosts.byId(hostId);
      if (present?.connected) return;
      const signals = [{ kind: 'instance' as const, id: hostId }];
      await store.hosts.save({ ...host, error: text }, { signals });
    });
  }

  async #link(id: Id, host: SshHost): Promise<void> {
    if (this.#closed || this.#linked.has(id)) return;
    const { dial, token, prepare } = host;
    if (await this.#options.hosts.add({ hostId: id, dial, token, prepare })) this.#linked.add(id);
  }

  /** Links to what has an agent and is nobody's, and lets go of what is not ours any more. */
  async #follow(): Promise<void> {
    const { store, hosts } = this.#options;
    const ids = await store.sshHosts.deployedIds();
    for (const id of [...this.#linked]) {
      if (hosts.has(id)) continue;
      this.#linked.delete(id);
      this.#forget(id);
    }
    for (const id of [...this.#visited]) {
      if (ids.includes(id)) continue;
      this.#visited.delete(id);
      this.#forget(id);
    }
    const missing = ids.filter((id) => !this.#linked.has(id));
    const records = await store.sshHosts.byIds(missing);
    const instances = await store.instances.byIds(missing);
    for (const record of records) {
      const fleetId = instances.find(({ id }) => id === record.instanceId)?.fleetId;
      const fleet = fleetId === undefined ? null : await store.fleets.byId(fleetId);
      const env = envOf(fleet?.fleet.spec.configuration.env ?? {});
      await this.#link(record.instanceId, this.#host(record, env));
    }
  }

  #again(): void {
    this.#timer = setTimeout(async () => {
      await this.#follow().catch((error) => {
        this.#options.log.warn({ err: error }, 'links to hosts could not be looked after');
      });
      if (!this.#closed) this.#again();
    }, FOLLOW_MS).unref();
  }

  #host(record: SshHostRecord, env: Readonly<Record<string, string>>): SshHost {
    const known = this.#known.get(record.instanceId);
    if (known) return known;
    const host = this.#make(record, env);
    this.#known.set(record.instanceId, host);
    return host;
  }

  #make(record: SshHostRecord, env: Readonly<Record<string, string>>): SshHost {
    const { serverId, programs, store } = this.#options;
    const { sshHosts } = store;
    return new SshHost({ record, env, serverId, programs, jumps: this.#jumps, sshHosts });
  }

  async #unlink(id: Id): Promise<void> {
    this.#linked.delete(id);
    await this.#options.hosts.remove(id);
    this.#forget(id);
  }

  /** Nothing of it is kept. */
  async #dispose(id: Id): Promise<void> {
    const { store } = this.#options;
    await this.#unlink(id);
    await store.sshHosts.delete([id]);
    await store.hosts.delete(id);
  }

  #forget(id: Id): void {
    if (this.#linked.has(id)) return;
    this.#known.get(id)?.close();
    this.#known.delete(id);
  }

  async #inTurn<T>({ login }: SshHostRecord, work: () => Promise<T>): Promise<T> {
    const address = `${login.hostname}:${login.port}`;
    const before = this.#turns.get(address) ?? Promise.resolve();
    const turn = before
      .catch(() => {})
      .then(() => {
        // The next start takes it up; the end waits for what is under way, and that can take minutes.
        if (this.#closed) throw new HostNotReady('The server is being stopped');
        return work();
      });
    this.#turns.set(address, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(address) === turn) this.#turns.delete(address);
    }
  }
}

/** An instance that is not up yet has no address of its own to be told by. */
function about({ login }: SshHostRecord, text: string): string {
  return text.includes(login.hostname) ? text : `${login.hostname}: ${text}`;
}

function refused(message: string): IntentResult {
  return { kind: 'refused', reason: 'error', message };
}

/** Entries that still wait for a value were refused when the fleet was applied. */
function envOf(env: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) =>
      typeof value === 'string' ? [[name, value] as const] : [],
    ),
  );
}
