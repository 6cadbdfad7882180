/**
 * The contract of backends over real SSH hosts: agents are installed on them and removed from them.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BackendError, remoteBackend } from '@dstack/backends';
import { type BackendWorld, describeBackend, newOrder, OUR_SERVER } from '@dstack/backends/testing';
import type { InstanceHandle } from '@dstack/core';
import { buildAgent } from '@dstack/testkit/built-agent';
import { hostsMissing, startHosts, type TestHost, type TestHosts } from '@dstack/testkit/hosts';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fleetHostReader } from '../../capacity/fleet-hosts.ts';
import { startTestServer } from '../../http/testing/test-server.ts';
import { assets } from '../../process/assets.ts';
import { Hosts } from '../hosts.ts';
import { agentConnectors } from '../supervisor/connectors.ts';
import { LinkSupervisor } from '../supervisor/supervisor.ts';
import { Programs } from './programs.ts';

const missing = hostsMissing();
if (missing && process.env.CI) throw new Error(`hosts cannot be tested: ${missing} is missing`);
if (missing) console.warn(`SSH hosts as a backend are NOT tested: ${missing} is missing`);

describe.skipIf(missing !== null)('the port on real hosts', () => {
  let machines: TestHosts;
  let cacheDir: string;
  beforeAll(async () => {
    buildAgent();
    cacheDir = mkdtempSync(join(tmpdir(), 'programs-'));
    machines = await startHosts({ count: 2 });
  });
  afterAll(() => {
    machines?.close();
    rmSync(cacheDir, { recursive: true, force: true });
  });

  describeBackend('SSH hosts', () => world(machines, cacheDir), [
    ...(['offers', 'list', 'lost answers', 'volumes', 'groups', 'gateways'] as const),
    'deletion by others',
  ]);

  it('leaves no process of ours on any host', async () => {
    const left = await Promise.all(
      machines.hosts.map((host) => host.exec('pgrep -f [a]gent/main || :')),
    );
    expect(left.join('')).toBe('');
  });
});

async function world(machines: TestHosts, cacheDir: string): Promise<BackendWorld> {
  const server = await startTestServer();
  const { store, logs } = server;
  const log = pino({ level: 'silent' });
  const shared = { store, log, serverId: OUR_SERVER };
  const hosts = new Hosts({ ...shared, logs, owner: OUR_SERVER, now: () => Date.now() * 1000 });
  const programs = new Programs({ agentDir: assets.agentBundle, cacheDir });
  const dial = async () => {
    throw new Error('no backend forwards ports');
  };
  const connectors = agentConnectors({
    ...shared,
    programs,
    hostAccess: store.hostAccess,
    mayDial: () => true,
    dial,
  });
  const supervisor = new LinkSupervisor({ ...shared, hosts, connectors });
  const free = [...machines.hosts];
  const taken: string[] = [];
  const removeAgent = async (instanceId: string): Promise<void> => {
    await supervisor.removeAgent(instanceId).catch((error: Error) => {
      throw new BackendError(error.message, { cause: error });
    });
  };
  return {
    backend: remoteBackend({ hostOf: fleetHostReader(store), removeAgent, volumes: null }),
    requirements: null,
    order: async (owner) => {
      const host = free.shift();
      if (!host) throw new Error('there is no further host');
      const instanceId = await fleetOf(server, host, machines.privateKey);
      taken.push(instanceId);
      return { ...newOrder(null, owner), instanceId };
    },
    facts: async ({ id }: InstanceHandle) => (await store.hosts.byId(id))?.facts ?? null,
    settle: async () => {
      for (const id of taken) {
        if (hosts.has(id) || (await store.hostAccess.byId(id)) === null) continue;
        const connected = hosts.nextConnection(id);
        await supervisor.follow(id);
        await connected;
      }
    },
    machines: async () => (await store.hostAccess.byIds(taken)).length,
    vanish: null,
    calls: null,
    userVolume: null,
    close: async () => {
      for (const id of taken) await removeAgent(id);
      supervisor.close();
      await hosts.close();
      await server.close();
    },
  };
}

/** A fleet of one host; returns the id of its instance. */
async function fleetOf(
  server: Awaited<ReturnType<typeof startTestServer>>,
  host: TestHost,
  privateKey: string,
): Promise<string> {
  const ssh_config = {
    user: 'root',
    ssh_key: { public: '', private: privateKey },
    hosts: [host.address],
  };
  const configuration = { type: 'fleet', name: host.name.toLowerCase(), ssh_config };
  const spec = { configuration, profile: { name: 'default' } };
  const body = { plan: { spec, current_resource: null }, force: true };
  const answer = await server.call('/api/project/main/fleets/apply', body);
  return answer.body.instances[0].id;
}
