import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type Backend,
  BackendError,
  type Catalog,
  directoryVolumes,
  type GatewayPort,
  type LocalFreedoms,
  localBackend,
  localElsewhere,
  remoteBackend,
  type VolumePort,
} from '@dstack/backends';
import { requirementsMatch } from '@dstack/core';
import { HostError } from '@dstack/ssh';
import type { Store } from '@dstack/store';
import { fleetHostReader } from '../capacity/fleet-hosts.ts';
import type { OpenedBackends } from '../capacity/opened-backends.ts';
import { directoryAgents } from '../hosts/directory-agents.ts';
import type { AgentAccess, Hosts } from '../hosts/hosts.ts';
import { localAgent, localHostId } from '../hosts/local-agent.ts';
import { localExecutor } from '../hosts/local-executor.ts';
import { type LocalUsers, localUsers } from '../hosts/local-users.ts';
import type { LinkSupervisor } from '../hosts/supervisor/supervisor.ts';
import { type ProjectBackends, projectBackends } from '../offers/project-backends.ts';
import { reportedServerHost } from '../offers/server-host-facts.ts';
import { whileHealthy } from '../offers/while-healthy.ts';
import { assets } from '../process/assets.ts';
import { closeSecrets } from '../process/server-dir.ts';
import { serverFolder } from '../process/server-folders.ts';
import { localRule } from '../settings/local-rule.ts';
import type { ServerSettings } from '../settings/settings.ts';
import type { SimBackends } from '../sim/sim-backends.ts';
import { hostGatewayPort } from './gateway-places.ts';
import { updateLocalInstances } from './local-instances.ts';
import type { Parts } from './parts.ts';

/** The server's machine as capacity. */
export interface ServerHost {
  readonly executor: 'docker' | 'process';
  /**
   * Projects that may run jobs there, in lower case; empty: the server only looks after what is
   * left there.
   */
  readonly projects: ReadonlySet<string>;
  readonly freedoms: LocalFreedoms;
  /** The access to its agent, which is started if it does not run. */
  readonly access: AgentAccess;
}

/** Whether jobs run on the server's machine, as shown to the person who starts the server. */
export type LocalMode =
  | {
      readonly kind: 'on';
      readonly executor: 'docker' | 'process';
      readonly projects: readonly string[];
      /** Jobs may use features that give them control of the machine. */
      readonly trusted: boolean;
      /** The mechanism that separates jobs from the server's secrets and from each other. */
      readonly apart: 'containers' | 'users' | 'nothing';
      /** Another executor is configured, but this many jobs still run with this one; else 0. */
      readonly remaining: number;
    }
  | { readonly kind: 'off'; readonly reason: string };

export interface LocalCapacity {
  /** Null: it has never run jobs. */
  readonly hostId: string | null;
  /** Null: it runs no jobs, and none are left there. */
  readonly host: ServerHost | null;
  readonly use: LocalMode;
}

export async function openServerHost(parts: Parts, serverId: string): Promise<LocalCapacity> {
  const { settings, store, env } = parts;
  const rule = localRule(settings);
  const stateDir = serverFolder(settings.dir, 'agent');
  if (rule.kind === 'off' && !existsSync(stateDir)) return { hostId: null, host: null, use: rule };
  const place = { stateDir, shared: store.shared };
  const configured = await localExecutor(settings.local.executor, env.DOCKER_HOST);
  const { executor, remaining } = await executorInUse(store, localHostId(place), configured);
  const users = await localUsers(settings.local.uids, serverId);
  if (executor === 'process' && users.own) await closeToJobs(parts);
  const agent = localAgent({
    ...place,
    jobUsers: users.own,
    node: process.execPath,
    program: assets.agentProgram,
    executor,
    serverId,
  });
  parts.closing.add(() => agent.leave());
  const { hostId, dial, token, socket } = agent;
  const named = rule.kind === 'on' ? rule.projects : [];
  const projects = new Set(named.map((name) => name.toLowerCase()));
  const freedoms = freedomsOf(settings, executor, users);
  await updateLocalInstances(store, hostId, { projects, executor, ...freedoms });
  if (rule.kind === 'off' && (await store.instances.onHost(hostId)).length === 0) {
    return { hostId, host: null, use: rule };
  }
  const access = { hostId, dial, token, socket, prepare: () => agent.ensureRunning() };
  return {
    hostId,
    host: { executor, projects, freedoms, access },
    use: rule.kind === 'off' ? rule : { ...rule, ...useOf(executor, freedoms, users), remaining },
  };
}

/**
 * The configured executor, unless jobs of an earlier server still run with the other one: the agent
 * has a single executor, and only theirs can observe and stop them.
 */
export async function executorInUse(
  store: Pick<Store, 'hosts' | 'jobs'>,
  hostId: string,
  configured: 'docker' | 'process',
): Promise<{ readonly executor: 'docker' | 'process'; readonly remaining: number }> {
  const current = (await store.hosts.byId(hostId))?.executor ?? configured;
  if (current === configured) return { executor: configured, remaining: 0 };
  const { length } = await store.jobs.onHost(hostId);
  return { executor: length > 0 ? current : configured, remaining: length };
}

async function closeToJobs({ settings, log }: Parts): Promise<void> {
  for (const { path, failed } of await closeSecrets(settings.dir)) {
    if (failed === null)
      log.warn({ path }, 'jobs could read secrets here; it is closed to them now');
    else log.warn({ path, failed }, 'jobs can read secrets here, and it cannot be closed to them');
  }
}

function useOf(
  executor: 'docker' | 'process',
  { trusted }: LocalFreedoms,
  { own }: LocalUsers,
): Omit<Extract<LocalMode, { kind: 'on' }>, 'kind' | 'projects' | 'remaining'> {
  const apart = executor === 'docker' ? 'containers' : own ? 'users' : 'nothing';
  return { executor, trusted, apart };
}

function freedomsOf(
  { local, outgoingAllow }: ServerSettings,
  executor: 'docker' | 'process',
  { mounts, why }: LocalUsers,
): LocalFreedoms {
  const { trusted } = local;
  const loopback = trusted || outgoingAllow.includes('loopback');
  if (executor === 'docker') return { trusted, loopback, mounts: true, users: true };
  return { trusted, loopback, mounts, users: trusted && why !== 'not root' };
}

/** A healthy agent connects within one second; after this limit the server stops waiting. */
const CONNECT_LIMIT_MS = 10_000;

/** Backends that stay open from their first use on. */
export interface LastingBackends {
  readonly sims: SimBackends | null;
  readonly opened: OpenedBackends;
  /** The price lists of all others. */
  readonly catalog: Catalog;
  readonly catalogNote: () => string | null;
}

/** The projects' backends, including the server's machine. */
export function makeBackends(
  { settings, store }: Parts,
  hosts: Hosts,
  supervisor: LinkSupervisor,
  { host, use }: LocalCapacity,
  { sims, opened, catalog, catalogNote }: LastingBackends,
): ProjectBackends {
  const volumes = directoryVolumes(directoryAgents({ store, hosts }));
  const gateways = hostGatewayPort(store, hosts, host);
  return projectBackends({
    store,
    ...(sims ? { simulated: (row) => sims.of(row) } : {}),
    opened: (row) => opened.of(row),
    tryOut: (...given) => opened.tryOut(...given),
    remote: remoteBackend({
      volumes,
      gateways,
      hostOf: fleetHostReader(store),
      removeAgent: async (instanceId) => {
        try {
          await supervisor.removeAgent(instanceId);
        } catch (error) {
          if (!(error instanceof HostError)) throw error;
          const message = `The agent could not be removed from the host: ${error.message}`;
          throw new BackendError(message, { cause: error });
        }
      },
    }),
    local: host && serverHostBackend(settings, store, hosts, { volumes, gateways }, host),
    localElsewhere: store.shared ? localElsewhere(volumes) : null,
    ...{ catalog, catalogNote },
    localProjects: host?.projects ?? new Set(),
    localOff: use.kind === 'off' ? use.reason : null,
  });
}

function serverHostBackend(
  settings: ServerSettings,
  store: Store,
  hosts: Hosts,
  ports: { readonly volumes: VolumePort; readonly gateways: GatewayPort },
  { executor, freedoms, access: { hostId } }: ServerHost,
): Backend {
  const limit = delay(CONNECT_LIMIT_MS, undefined, { ref: false });
  const backend = localBackend({
    executor,
    freedoms,
    hostId,
    hostname: settings.url ? new URL(settings.url).hostname : '127.0.0.1',
    serverHost: reportedServerHost({
      facts: async () => (await store.hosts.byId(hostId))?.facts ?? null,
      reported: Promise.race([hosts.nextConnection(hostId), limit]),
    }),
    matches: requirementsMatch,
    slots: settings.engine.localMaxInstances,
    price: settings.local.price,
    ...ports,
  });
  return whileHealthy(backend, { store, hostId });
}
