import {
  type Backend,
  type Catalog,
  type CheckResult,
  type ConfigOrigin,
  cloudBackend,
} from '@dstack/backends';
import type { BackendConfigWithCreds } from '@dstack/contract/wire';
import {
  type BackendsState,
  type CapacityHints,
  type Id,
  type InstanceHandle,
  isServerHost,
  requirementsMatch,
} from '@dstack/core';
import type { BackendRecord, Store } from '@dstack/store';
import { type BackendLimits, boundedBackend } from './bounded-backend.ts';
import { capacityHints } from './capacity-hints.ts';
import { unusableBackend } from './unusable-backend.ts';

/**
 * The backends that a project may use now: those configured for it, and the server's machine. Every
 * call of them has a time limit.
 */
export interface ProjectBackends {
  of(projectId: Id): Promise<readonly Backend[]>;
  find(projectId: Id, name: Backend['name']): Promise<Backend | null>;
  /** The state of the backends that is known without asking them, and hints about their capacity. */
  state(projectId: Id): Promise<ProjectBackendsState>;
  /** Checks a configuration that is not stored; omitted, or null: there is nothing to check. */
  readonly tryOut?: TryOut;
}

/** `machines`: handles of those that the backend has made, which the account must have. */
export type TryOut = (
  config: BackendConfigWithCreds,
  origin: ConfigOrigin,
  machines?: readonly InstanceHandle[],
) => Promise<readonly CheckResult[] | null>;

export interface ProjectBackendsState extends BackendsState {
  readonly hints: CapacityHints;
}

export interface ProjectBackendsOptions {
  readonly store: Store;
  readonly catalog: Catalog;
  /** Where its prices are from; null, or omitted: there is nothing to add. */
  readonly catalogNote?: () => string | null;
  /** Null if the server's machine is not capacity. */
  readonly local: Backend | null;
  /** The machines of other servers, if that of this one is not capacity; null, or omitted: there are none. */
  readonly localElsewhere?: Backend | null;
  /** The simulated backend of a row; null, or omitted, = it is none. */
  readonly simulated?: (row: BackendRecord) => Backend | null;
  /** The backend of a row that creates instances; null, or omitted, = it only has a price list. */
  readonly opened?: (row: BackendRecord) => Promise<Backend | null>;
  readonly tryOut?: TryOut;
  /** SSH hosts: no project configures them. */
  readonly remote: Backend;
  /** Projects that may use it, by name in lower case. */
  readonly localProjects: ReadonlySet<string>;
  /** Why the server's machine is not capacity for any project; null = it is for those. */
  readonly localOff?: string | null;
  readonly limits?: BackendLimits;
}

export function projectBackends(options: ProjectBackendsOptions): ProjectBackends {
  const { store, catalog, local, remote, localProjects } = options;
  const cloudOf = ({ type, config }: BackendRecord): Backend =>
    cloudBackend({
      ...{ type, regions: regionsOf(config), catalog, matches: requirementsMatch },
      note: options.catalogNote?.() ?? null,
    });
  // Instances end by their backend even if the project may no longer use it.
  const serverHosts = local ?? options.localElsewhere ?? null;
  const builtIn = [remote, ...(serverHosts ? [serverHosts] : [])];
  const opened = async (row: BackendRecord): Promise<Backend> => {
    const simulated = options.simulated?.(row);
    if (simulated) return simulated;
    try {
      return (await options.opened?.(row)) ?? cloudOf(row);
    } catch (error) {
      return unusableBackend(row.type, error);
    }
  };
  const of = async (projectId: Id): Promise<readonly Backend[]> => {
    const project = await store.projects.byId(projectId);
    if (!project) return [];
    const rows = await store.backends.list([projectId]);
    const clouds = await Promise.all(rows.map((row) => opened(row)));
    const own = local && localProjects.has(project.name.toLowerCase()) ? [local] : [];
    return [...own, ...clouds].map((backend) => boundedBackend(backend, options.limits));
  };
  return {
    of,
    ...(options.tryOut && { tryOut: options.tryOut }),
    async state(projectId) {
      const configured = await of(projectId);
      const isLocal = configured.some((backend) => isServerHost(backend.name));
      return {
        abilities: configured.map(({ name, instances }) => ({
          name,
          createsInstances: instances !== null,
        })),
        hints: capacityHints(configured),
        localOff: isLocal
          ? null
          : `the server's machine runs no jobs of this project: ${options.localOff ?? NOT_NAMED}`,
      };
    },
    find: async (projectId, name) => {
      const always = builtIn.find((backend) => backend.name === name);
      if (always) return boundedBackend(always, options.limits);
      return (await of(projectId)).find((backend) => backend.name === name) ?? null;
    },
  };
}

/** Without the names of the projects that may: not every user may see them. */
const NOT_NAMED = 'the operator of the server can allow that with DSTACK_LOCAL_PROJECTS';

function regionsOf(config: unknown): readonly string[] | null {
  const regions = (config as { readonly regions?: readonly string[] | null }).regions;
  return regions ?? null;
}
