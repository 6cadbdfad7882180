/**
 * Time from `dstack apply` until SSH hosts are idle. All hosts are on this computer, so the work of
 * each (decrypting, unpacking) adds up here. The floor is the time in which OpenSSH copies Node to
 * all of them and unpacks it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Installation } from '@dstack/testkit';
import { hostsMissing, startHosts, type TestHost } from '@dstack/testkit/hosts';
import { installation } from './installation.ts';
import { print } from './measure.ts';

const SIZES = '2,20';

interface Shown {
  readonly name: string;
  readonly instances: readonly {
    readonly status: string;
    readonly termination_reason_message: string | null;
  }[];
}

/**
 * `sizes`: `2,20`. The first size is measured twice: on a server that has to compress Node first,
 * and
 * on one that has already done so.
 */
export async function fleet(sizes = SIZES): Promise<void> {
  const missing = hostsMissing();
  if (missing !== null) {
    console.error(`fleets are not measured: ${missing} is missing`);
    return;
  }
  const counts = sizes.split(',').map(Number);
  const machines = await startHosts({ count: Math.max(...counts) });
  const home = installation();
  try {
    await home.startServer();
    const measured = (hosts: readonly TestHost[]) => added(home, hosts, machines.keyPath);
    for (const size of counts) {
      const hosts = machines.hosts.slice(0, size);
      const name = `fleet of ${size} SSH hosts: apply → all idle`;
      for (const round of size === counts[0] ? ['first of the server', 'later'] : ['later']) {
        print({ name, unit: 'ms', round, ...(await measured(hosts)) });
      }
      print({
        name: `${name}, floor`,
        unit: 'ms',
        all: await carried(home, hosts, machines.keyPath),
      });
    }
  } finally {
    await home.dispose();
    machines.close();
  }
}

async function added(home: Installation, hosts: readonly TestHost[], key: string) {
  const addresses = JSON.stringify(hosts.map(({ address }) => address));
  const yaml = `type: fleet\nname: pool\nssh_config:\n  user: root\n  identity_file: ${key}\n  hosts: ${addresses}\n`;
  writeFileSync(join(home.home, 'pool.dstack.yml'), yaml);
  const start = performance.now();
  const cpu = cpuMs(home.serverPid);
  await home.ok('apply', '-f', 'pool.dstack.yml', '-y', '-d');
  const applied = performance.now();
  const idle: number[] = [];
  while (idle.length < hosts.length) {
    const { instances } = await home.api<Shown>('/api/project/main/fleets/get', { name: 'pool' });
    const failed = instances.find(({ status }) => status === 'terminated');
    if (failed) throw new Error(`a host was refused: ${failed.termination_reason_message}`);
    const ready = instances.filter(({ status }) => status === 'idle').length;
    while (idle.length < ready) idle.push(performance.now());
    await delay(20);
  }
  const serverCpu = cpuMs(home.serverPid) - cpu;
  await home.ok('fleet', 'delete', 'pool', '-y');
  while ((await home.api<Shown[]>('/api/project/main/fleets/list', {})).length > 0) await delay(50);
  const since = (time: number | undefined) => Math.round((time ?? Number.NaN) - start);
  return { submitted: since(applied), first: since(idle[0]), all: since(idle.at(-1)), serverCpu };
}

/** User and system time of a process (`proc(5)`, in hundredths of a second). */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

async function carried(home: Installation, hosts: readonly TestHost[], key: string) {
  const cache = join(home.serverDir, 'cache');
  const node = readdirSync(cache).find((name) => name.endsWith('.gz')) ?? '';
  const options = ['-q', '-i', key, '-o', 'StrictHostKeyChecking=no'];
  const start = performance.now();
  await Promise.all(
    hosts.map(async ({ address }) => {
      const args = [...options, '-o', 'UserKnownHostsFile=/dev/null', `root@${address}`];
      const child = spawn('ssh', [...args, 'gunzip -c > /root/node; rm /root/node'], {
        stdio: [openSync(join(cache, node), 'r'), 'ignore', 'inherit'],
      });
      await once(child, 'exit');
    }),
  );
  return Math.round(performance.now() - start);
}
