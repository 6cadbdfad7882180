import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Backend, loadCatalog, localBackend } from '@dstack/backends';
import { requirementsMatch } from '@dstack/core';
import type { Store } from '@dstack/store';
import { assets } from '../assets.ts';
import type { HostAccess, Hosts } from '../hosts/hosts.ts';
import { localAgent } from '../hosts/local-agent.ts';
import { localExecutor } from '../hosts/local-executor.ts';
import { ownMachine } from '../offers/own-machine.ts';
import { type ProjectBackends, projectBackends } from '../offers/project-backends.ts';
import { listensOnLoopback, type ServerSettings } from '../settings.ts';
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
  const off = whyLocalOff(settings);
  if (off === null) return await localExecutor(settings.local.executor, env.DOCKER_HOST);
  log.info(`this machine runs no jobs: ${off}`);
  return null;
}

/** Null: it runs those of the projects that may use it. */
function whyLocalOff({ local, host }: ServerSettings): string | null {
  if (local.projects?.length === 0) return 'DSTACK_LOCAL_PROJECTS names no project';
  if (local.projects !== null || listensOnLoopback(host)) return null;
  return 'the server is open to others, and DSTACK_LOCAL_PROJECTS names no project that may';
}

/** The agent of a new server is there within a second; one that takes longer may never come. */
const FIRST_WORD_MS = 10_000;

/** The projects' backends, with this machine among them. */
export function makeBackends(
  { settings, store }: Parts,
  hosts: Hosts,
  machine: ThisMachine | null,
): ProjectBackends {
  const local = machine && thisMachineAsBackend(settings, store, hosts, machine);
  const names = settings.local.projects ?? ['main'];
  return projectBackends({
    store,
    local,
    catalog: loadCatalog(assets.catalog),
    localProjects: new Set(names.map((name) => name.toLowerCase())),
    localOff: whyLocalOff(settings),
  });
}

function thisMachineAsBackend(
  settings: ServerSettings,
  store: Store,
  hosts: Hosts,
  { executor, access: { hostId } }: ThisMachine,
): Backend {
  const limit = delay(FIRST_WORD_MS, undefined, { ref: false });
  return localBackend({
    executor,
    hostId,
    hostname: settings.url ? new URL(settings.url).hostname : '127.0.0.1',
    machine: ownMachine({
      facts: async () => (await store.hosts.byId(hostId))?.facts ?? null,
      told: Promise.race([hosts.nextConnection(hostId), limit]),
    }),
    matches: requirementsMatch,
  });
}
