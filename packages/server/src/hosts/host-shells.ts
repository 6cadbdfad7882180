import type { HostShellKeys } from '@dstack/contract/agent';
import { isSshHost } from '@dstack/contract/status';
import type { ProjectRole } from '@dstack/contract/wire';
import type { Store } from '@dstack/store';
import type { Logger } from '../process/logging.ts';
import type { AgentClient } from './agent-client.ts';
import { HostPushes } from './host-pushes.ts';
import { isLocalHost } from './local-agent.ts';

/** The users whose keys open a shell on hosts of SSH fleets (`DSTACK_SERVER_HOST_SHELL`). */
export type HostShellSetting = 'off' | 'managers' | 'users';

const ROLES: Readonly<Record<HostShellSetting, readonly ProjectRole[] | null>> = {
  off: null,
  managers: ['admin', 'manager'],
  users: ['admin', 'manager', 'user'],
};

/** Seconds after which an agent removes the keys unless they are pushed again. */
const VALID_FOR = 24 * 3600;
/** Interval of pushes, far below `VALID_FOR`. */
const ROUND_MS = 3_600_000;

export interface HostShellsOptions {
  readonly store: Pick<Store, 'access' | 'instances'>;
  readonly setting: HostShellSetting;
  /** Hosts that this server has a link to. */
  readonly hosts: () => readonly string[];
  readonly client: (hostId: string) => Pick<AgentClient, 'openShells'> | null;
  readonly log: Logger;
  readonly retryMs?: number;
}

/**
 * Pushes to the agents of SSH hosts the keys that open a shell of the host: those of users who manage
 * the project of the fleet, and so control the host anyway. Projects that import the fleet get none.
 * Pushes when a link is made, when access changes, and every hour.
 */
export class HostShells {
  readonly #options: HostShellsOptions;
  readonly #pushes: HostPushes;
  readonly #unlisten: () => void;
  readonly #round: NodeJS.Timeout;
  /** The keys that each agent has confirmed, and the number of links made to each host. */
  readonly #confirmed = new Map<string, string>();
  readonly #links = new Map<string, number>();
  /** Keys by project, read once for all hosts of it; deleted when access changes. */
  #keys = new Map<string, Promise<HostShellKeys['keys']>>();

  constructor(options: HostShellsOptions) {
    this.#options = options;
    this.#pushes = new HostPushes({
      what: 'keys that open a shell',
      push: (hostId) => this.#pushOnce(hostId),
      isLinked: (hostId) => options.client(hostId) !== null,
      log: options.log,
      retryMs: options.retryMs,
    });
    this.#unlisten = options.store.access.onChanged(() => this.#pushAll());
    this.#round = setInterval(() => {
      this.#confirmed.clear();
      this.#pushAll();
    }, ROUND_MS).unref();
  }

  close(): void {
    clearInterval(this.#round);
    this.#unlisten();
    this.#pushes.close();
  }

  /** Call it when a link was made: the agent may have lost the keys. */
  connected(hostId: string): void {
    this.#confirmed.delete(hostId);
    this.#links.set(hostId, this.#linkOf(hostId) + 1);
    this.#push(hostId);
  }

  #linkOf(hostId: string): number {
    return this.#links.get(hostId) ?? 0;
  }

  #pushAll(): void {
    this.#keys = new Map();
    for (const hostId of this.#options.hosts()) this.#push(hostId);
  }

  /** The server host never opens a shell. */
  #push(hostId: string): void {
    if (!isLocalHost(hostId)) this.#pushes.push(hostId);
  }

  async #pushOnce(hostId: string): Promise<void> {
    const { client, store } = this.#options;
    const instance = (await store.instances.byId(hostId))?.instance;
    if (!instance || !isSshHost(instance.backend)) return;
    const keys = instance.deleted ? [] : await this.#keysOf(instance.projectId);
    const wanted = JSON.stringify(keys);
    const agent = client(hostId);
    if (agent === null || this.#confirmed.get(hostId) === wanted) return;
    // The agent's keys are unknown until it has answered over the same link.
    this.#confirmed.delete(hostId);
    const link = this.#linkOf(hostId);
    await agent.openShells({ keys, valid_for: VALID_FOR });
    if (link === this.#linkOf(hostId)) this.#confirmed.set(hostId, wanted);
  }

  #keysOf(projectId: string): Promise<HostShellKeys['keys']> {
    const roles = ROLES[this.#options.setting];
    if (roles === null) return Promise.resolve([]);
    const known = this.#keys.get(projectId);
    if (known) return known;
    const cache = this.#keys;
    const read = this.#options.store.access.keysOf(projectId, roles).then(
      (keys) =>
        keys.flatMap(({ user, key }) =>
          lineOf(key).map((line) => ({ user: agentName(user), key: line })),
        ),
      (error: unknown) => {
        cache.delete(projectId);
        throw error;
      },
    );
    cache.set(projectId, read);
    return read;
  }
}

/** The key as one line; empty if it has several, because agents then refuse all keys. */
function lineOf(key: string): readonly string[] {
  const line = key.trim();
  return /\p{Cc}/u.test(line) ? [] : [line];
}

/** A user name that agents accept: one invalid name must not block the keys of all users. */
function agentName(user: string): string {
  return user.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 60) || '_';
}
