/**
 * How long a server takes to bring many SSH hosts into service at once, from `apply` to the last one
 * idle: hosts with a Docker daemon each, which answers already, and hosts that share the daemon of the
 * first one, because two cores have no room for a hundred. The floor is what no server could avoid: a
 * login by OpenSSH to each host, and Node brought there and unpacked.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, globSync, linkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Installation } from '@dstack/testkit';
import { hostsMissing, startHosts, type TestHosts } from '@dstack/testkit/hosts';
import { usage } from './at-rest.ts';
import { installation } from './installation.ts';
import { print } from './measure.ts';
import { applySshFleet } from './runs.ts';
import { residentMb } from './server-start.ts';

/** Numbers of hosts with a daemon of their own, and of hosts that share one. */
const HOSTS = '20,100';
const REST_SECONDS = 10;
const LOGIN = ['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-q'];

/** `argument`: as `HOSTS`. */
export async function sshHosts(argument = HOSTS): Promise<void> {
  const missing = hostsMissing();
  if (missing !== null) {
    print({ name: 'ssh hosts', unit: '-', skipped: `${missing} is missing` });
    return;
  }
  const [own = 0, shared = 0] = argument.split(',').map(Number);
  if (own > 0) await measured(await startHosts({ count: own }), `${own} hosts with Docker`);
  if (shared === 0) return;
  const machines = await startHosts({ count: shared, docker: [1] });
  shareDocker(machines);
  await measured(machines, `${shared} hosts with one Docker daemon`);
}

/** The socket of the first host's daemon, in `/run` of each host. */
function shareDocker({ hosts, keyPath }: TestHosts): void {
  const socket = (number: number) => join(dirname(keyPath), String(number), 'run', 'docker.sock');
  for (let number = 2; number <= hosts.length; number++) linkSync(socket(1), socket(number));
}

async function measured(machines: TestHosts, name: string): Promise<void> {
  const home = installation({ DSTACK_LOCAL_PROJECTS: 'none' });
  try {
    await home.startServer();
    const before = usage(home.serverPid);
    const start = performance.now();
    const addresses = machines.hosts.map(({ address }) => ({ hostname: address }));
    await applySshFleet(home, 'hosts', machines.privateKey, addresses, 1);
    const all = Math.round(performance.now() - start);
    const cpu = usage(home.serverPid).cpuMs - before.cpuMs;
    print({ name: `${name}: apply → all idle`, unit: 'ms', all, cpu });
    print({ name: `${name}: memory of the server`, unit: 'MB', value: residentMb(home.serverPid) });
    const atRest = usage(home.serverPid);
    await delay(REST_SECONDS * 1000);
    const { cpuMs } = usage(home.serverPid);
    const value = (cpuMs - atRest.cpuMs) / REST_SECONDS;
    print({ name: `${name}: server at rest`, unit: 'CPU ms/s', value });
    print({ name: `${name}, floor`, unit: 'ms', all: await floor(home, machines) });
  } finally {
    await home.dispose();
    machines.close();
  }
}

/** The same bytes as the server has uploaded, and all at once as well. */
async function floor(home: Installation, { hosts, keyPath }: TestHosts): Promise<number> {
  const [node] = globSync(`${home.serverDir}/**/node-*.gz`);
  if (!node) throw new Error('the server has uploaded no Node');
  const start = performance.now();
  await Promise.all(
    hosts.map(async ({ address }) => {
      const unpack = 'gunzip > /opt/floor';
      const ssh = spawn('ssh', [...LOGIN, '-i', keyPath, `root@${address}`, unpack], {
        stdio: ['pipe', 'ignore', 'inherit'],
      });
      const exit = once(ssh, 'exit');
      await pipeline(createReadStream(node), ssh.stdin);
      const [code] = await exit;
      if (code !== 0) throw new Error(`ssh to ${address} ended with ${code}`);
    }),
  );
  return Math.round(performance.now() - start);
}
