import {
  AllMissingError,
  type Backend,
  BackendError,
  type BackendHost,
  type BackendOpener,
  type CheckResult,
  type ConfigOrigin,
  type ConfiguredKind,
  type InstancePort,
  type OpenedBackend,
} from '@dstack/backends';
import type { BackendConfigWithCreds } from '@dstack/contract/wire';
import type { Id, InstanceHandle } from '@dstack/core';
import type { BackendRecord, Store } from '@dstack/store';
import { withoutOrigin } from '../backend-config/origin.ts';
import { joinSecrets } from '../backend-config/secrets.ts';
import { agentSecret } from '../hosts/agent-secret.ts';
import type { Logger } from '../process/logging.ts';
import { WatchedBackends, type WatchedBackendsOptions } from './watched-backends.ts';

export interface OpenedBackendsOptions extends Pick<WatchedBackendsOptions, 'onReport'> {
  readonly store: Pick<Store, 'backends' | 'instances' | 'engine' | 'projects' | 'meta' | 'cipher'>;
  readonly log: Logger;
  readonly kinds: readonly ConfiguredKind[];
  readonly host: BackendHost;
}

interface Opened {
  readonly updatedAt: number;
  readonly opened: Promise<OpenedBackend>;
}

/**
 * The backends of all projects that create machines. Each is opened when it is used first, so that a
 * server loads no code for kinds that no project has, and again when its configuration changes.
 */
export class OpenedBackends {
  readonly #options: OpenedBackendsOptions;
  readonly #kinds: ReadonlyMap<string, ConfiguredKind>;
  readonly #openers = new Map<string, Promise<BackendOpener>>();
  readonly #opened = new Map<Id, Opened>();
  readonly #watched: WatchedBackends;
  #closed = false;

  constructor(options: OpenedBackendsOptions) {
    this.#options = options;
    this.#kinds = new Map(options.kinds.map((kind) => [kind.type, kind]));
    this.#watched = new WatchedBackends(options);
  }

  /** Null: no backend of this type creates machines. Rejects if its configuration cannot be used. */
  async of(row: BackendRecord): Promise<Backend | null> {
    const kind = this.#kinds.get(row.type);
    if (!kind) return null;
    if (this.#closed) throw new BackendError('the server is ending');
    const known = this.#opened.get(row.id);
    if (known?.updatedAt === row.updatedAt) return (await known.opened).backend;
    if (known) end(known);
    const opened = { updatedAt: row.updatedAt, opened: this.#open(kind, row) };
    this.#opened.set(row.id, opened);
    try {
      return (await opened.opened).backend;
    } catch (error) {
      if (this.#opened.get(row.id) === opened) this.#opened.delete(row.id);
      throw error;
    }
  }

  /**
   * Checks a configuration, with its credentials, that is not stored yet. Null: no backend of this type
   * creates machines.
   */
  async tryOut(
    config: BackendConfigWithCreds,
    origin: ConfigOrigin,
    machines: readonly InstanceHandle[] = [],
  ): Promise<readonly CheckResult[] | null> {
    const kind = this.#kinds.get(config.type);
    if (!kind) return null;
    const secret = await agentSecret(this.#options.store);
    const { backend, close } = await (await this.#openerOf(kind)).open(config, secret, origin);
    try {
      const isPaid = backend.capabilities.owner === 'provider';
      if (isPaid && backend.instances) {
        // First: the check makes many calls, and its caller waits for some seconds only.
        const foreign = await foreignAccount(backend.instances, machines);
        if (foreign !== null) return [{ ...foreign, name: config.type }];
      }
      return await backend.check();
    } finally {
      close();
    }
  }

  /** Follows the jobs that exist. A backend that cannot be opened reports that when it is used. */
  async start(): Promise<void> {
    const { store, log } = this.#options;
    const projects = await store.projects.list({});
    for (const row of await store.backends.list(projects.map(({ id }) => id))) {
      this.of(row).catch((error) => {
        log.warn({ backend: row.type, err: error }, 'backend not opened');
      });
    }
  }

  close(): void {
    this.#closed = true;
    for (const opened of this.#opened.values()) end(opened);
    this.#opened.clear();
    for (const opener of this.#openers.values()) {
      opener.then((shared) => shared.close?.()).catch(() => {});
    }
  }

  async #open(kind: ConfiguredKind, row: BackendRecord): Promise<OpenedBackend> {
    const { store } = this.#options;
    const [full, secret, opener] = await Promise.all([
      store.backends.byType(row.projectId, row.type),
      agentSecret(store),
      this.#openerOf(kind),
    ]);
    const { config: own, isOperators } = withoutOrigin(row.config);
    const config = joinSecrets({ config: own, auth: full?.auth ?? {} });
    const { backend, close } = await opener.open(config, secret, { isOperators });
    try {
      const unwatch = await this.#watched.watch(row.projectId, backend);
      const closeAll = () => {
        unwatch();
        close();
      };
      return { backend, close: closeAll };
    } catch (error) {
      close();
      throw error;
    }
  }

  #openerOf(kind: ConfiguredKind): Promise<BackendOpener> {
    const known = this.#openers.get(kind.type);
    if (known) return known;
    const loading = kind.load(this.#options.host);
    loading.catch(() => this.#openers.delete(kind.type));
    this.#openers.set(kind.type, loading);
    return loading;
  }
}

function end({ opened }: Opened): void {
  opened.then(({ close }) => close()).catch(() => {});
}

/** So many of the machines are looked for: one is enough to know the account. */
const LOOKED_FOR = 5;

/**
 * With the key of another account, no machine would be found any more: all would count as ended, and cost
 * money in the old one. Null: they are there, there are none, or the provider does not say.
 */
async function foreignAccount(
  instances: InstancePort,
  machines: readonly InstanceHandle[],
): Promise<Omit<CheckResult, 'name'> | null> {
  if (machines.length === 0) return null;
  try {
    for (const machine of machines.slice(0, LOOKED_FOR)) {
      if (!(await isMissing(instances, machine))) return null;
    }
  } catch {
    // Refused credentials are the check's to report.
    return null;
  }
  const problem = `none of the ${machines.length} machines that this backend has made is in the account of these credentials; use a key of their account, or end them first`;
  return { ok: false, refused: true, problem };
}

async function isMissing(instances: InstancePort, machine: InstanceHandle): Promise<boolean> {
  try {
    return (await instances.observe(machine, { facts: null })).state === 'missing';
  } catch (error) {
    if (error instanceof AllMissingError) return true;
    throw error;
  }
}
