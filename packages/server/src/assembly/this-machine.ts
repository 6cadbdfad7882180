import { join } from 'node:path';
import {
  type Backend,
  inspectMachine,
  loadCatalog,
  localBackend,
  machineOf,
} from '@dstack/backends';
import { requirementsMatch } from '@dstack/core';
import { assets } from '../assets.ts';
import type { HostAccess } from '../hosts/hosts.ts';
import { localAgent } from '../hosts/local-agent.ts';
import { localExecutor } from '../hosts/local-executor.ts';
import { type ProjectBackends, projectBackends } from '../offers/project-backends.ts';
import { listensOnLoopback } from '../settings.ts';
import type { Parts } from './parts.ts';

/** The server's own machine as capacity. */
export interface ThisMachine {
  readonly executor: 'docker' | 'process';
  /** How its agent is reached, started when it does not run. */
  readonly access: HostAccess;
}

/** Null: it runs no jobs. */
export async function thisMachine(parts: Parts, serverId: string): Promise<ThisMachine | null> {
  const executor = await executorOfThisMachine(parts);
  if (!executor) return null;
  const { settings, store } = parts;
  const agent = localAgent({
    stateDir: join(settings.dir, 'agent'),
    node: process.execPath,
    program: assets.agentProgram,
    executor,
    serverId,
    shared: store.shared,
  });
  const { hostId, dial, token } = agent;
  return { executor, access: { hostId, dial, token, prepare: () => agent.ensureRunning() } };
}

/**
 * Jobs here are other people's code on this machine: by default only for `main`, and only while
 * nobody but this machine can reach the server.
 */
async function executorOfThisMachine({ settings, env, log }: Parts) {
  const { local, host } = settings;
  if (local.projects?.length === 0) return null;
  if (local.projects === null && !listensOnLoopback(host)) {
    log.info(
      'this machine runs no jobs, since the server is open to others (DSTACK_LOCAL_PROJECTS)',
    );
    return null;
  }
  return await localExecutor(local.executor, env.DOCKER_HOST);
}

/** The projects' backends, with this machine among them. */
export async function makeBackends(
  { settings, store }: Parts,
  machine: ThisMachine | null,
): Promise<ProjectBackends> {
  const hostname = settings.url ? new URL(settings.url).hostname : '127.0.0.1';
  // Until the agent has told what it found, which is more and of all vendors.
  const looked = await inspectMachine();
  const hostId = machine?.access.hostId ?? '';
  const local: Backend | null = machine
    ? localBackend({
        executor: machine.executor,
        hostId,
        hostname,
        machine: async () => machineOf((await store.hosts.byId(hostId))?.facts ?? null) ?? looked,
        matches: requirementsMatch,
      })
    : null;
  const names = settings.local.projects ?? ['main'];
  return projectBackends({
    store,
    local,
    catalog: loadCatalog(assets.catalog),
    localProjects: new Set(names.map((name) => name.toLowerCase())),
  });
}
