/** How a server of a simulation prepares the hosts to which it connects. */
import { temporary } from '@dstack/ssh';
import type { HostAccessRecord } from '@dstack/store';
import type { Random } from '@dstack/testkit/random';
import type { Connectors, HostConnection } from '../../hosts/supervisor/connector.ts';
import type { SimWorld } from './sim-backends.ts';
import type { SimClock } from './sim-clock.ts';

interface Parts {
  readonly clock: SimClock;
  readonly random: Random;
  readonly world: SimWorld;
}

export const simConnectors = (parts: Parts): Connectors => ({
  socket: () => connection(async () => {}),
  backend: (record) => dialledHost(record, parts),
  ssh: (record) => sshHost(record, parts),
});

/** Nothing is sent over connections: the links are scripted. */
export const scriptedDial = (): never =>
  Promise.reject(new Error('links of a simulation are scripted')) as never;

function connection(prepare: () => Promise<void>, remove = async () => {}): HostConnection {
  const client = {} as HostConnection['client'];
  return { ...{ client, dial: scriptedDial, token: '' }, prepare, remove, close: () => {} };
}

/** The agent has connected to the server, or does so in a moment. */
function dialledHost({ instanceId, agentToken }: HostAccessRecord, { world }: Parts) {
  let isKnown = false;
  return connection(async () => {
    if (isKnown) return;
    world.onInstalling(instanceId);
    world.dialledHost(instanceId, agentToken);
    isKnown = true;
  });
}

function sshHost({ instanceId, access }: HostAccessRecord, { clock, random, world }: Parts) {
  const hostname = access.kind === 'ssh' ? access.login.hostname : '';
  const hostKey = (access.kind === 'ssh' && access.vm?.hostKey) || null;
  let isDeployed = false;
  return connection(
    async () => {
      if (isDeployed) return;
      world.onInstalling(instanceId);
      await clock.delay(random.whole(200, 5_000) * 1000);
      if (random.chance(world.parts.hostFaults.lostAnswer)) throw temporary('not yet');
      world.sshHost(instanceId, hostname, hostKey).setReachable(true);
      isDeployed = true;
    },
    async () => {
      await clock.delay(200_000);
      world.hosts.get(instanceId)?.destroy();
      world.hosts.delete(instanceId);
    },
  );
}
