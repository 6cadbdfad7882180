import type { HostShellKeys } from '@dstack/contract/agent';
import type { ProjectRole } from '@dstack/contract/wire';
import type { Store } from '@dstack/store';
import type { Logger } from '../logging.ts';
import type { AgentClient } from './agent-client.ts';
import { HostPushes } from './host-pushes.ts';
import { isLocalHost } from './local-agent.ts';

/** Whose keys open a shell on hosts of SSH fleets (`DSTACK_SERVER_HOST_SHELL`). */
export type HostShellSetting = 'off' | 'managers' | 'users';

const ROLES: Readonly<Record<HostShellSetting, readonly ProjectRole[] | null>> = {
  off: null,
  managers: ['admin', 'manager'],
  users: ['admin', 'manager', 'user'],
};

/** An agent takes the keys away by itself when it has not heard of them for so many seconds. */
const VALID_FOR = 24 * 3600;
/** Far below that time. */
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
 * Tells the agents of SSH hosts whose keys open a shell of the host: those who manage the project of
 * the fleet and could do there what they like anyway. Other projects that import the fleet get none.
 * Said when a link is made, whenever access changes, and every hour.
 */
export class HostShells {
  readonly #options: HostShellsOptions;
  readonly #pushes: HostPushes;
  readonly #unlisten: () => void;
  readonly #round: NodeJS.Timeout;
  /** What each agent is known to have, and over which of its links it was told. */
  readonly #told = new Map<string, string>();
  readonly #links = new Map<string, number>();
  /** Keys by project, read once for all hosts of it; forgotten when access changes. */
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
      this.#told.clear();
      this.#pushAll();
    }, ROUND_MS).unref();
  }

  close(): void {
    clearInterval(this.#round);
    this.#unlisten();
    this.#pushes.close();
  }

  /** A link was made: whatever the agent was told before may be gone. */
  connected(hostId: string): void {
    this.#told.delete(hostId);
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

  /** The server's own machine opens no shell to anybody. */
  #push(hostId: string): void {
    if (!isLocalHost(hostId)) this.#pushes.push(hostId);
  }

  async #pushOnce(hostId: string): Promise<void> {
    const { client, store } = this.#options;
    const instance = (await store.instances.byId(hostId))?.instance;
    if (instance?.backend !== 'remote') return;
    const keys = instance.deleted ? [] : await this.#keysOf(instance.projectId);
    const wanted = JSON.stringify(keys);
    const agent = client(hostId);
    if (agent === null || this.#told.get(hostId) === wanted) return;
    // From here on nobody knows what it has, until it has answered over the same link.
    this.#told.delete(hostId);
    const link = this.#linkOf(hostId);
    await agent.openShells({ keys, valid_for: VALID_FOR });
    if (link === this.#linkOf(hostId)) this.#told.set(hostId, wanted);
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
          lineOf(key).map((line) => ({ user: wordOf(user), key: line })),
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

/** Keys are stored as `ssh-keygen` writes them; agents refuse all keys for one that is not one line. */
function lineOf(key: string): readonly string[] {
  const line = key.trim();
  return /\p{Cc}/u.test(line) ? [] : [line];
}

/** What agents take as the name of a user: one odd name must not keep all others from their changes. */
function wordOf(user: string): string {
  return user.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 60) || '_';
}
