import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Installation } from '@dstack/testkit';
import { startHosts, type TestHost, type TestHosts } from '@dstack/testkit/hosts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  type Accelerators,
  addUser,
  changeSshd,
  giveAccelerators,
  withNvidiaHook,
} from './host-kinds.ts';
import { allIdle, IMAGE, missingForHosts, onFleet, untilInstances } from './hosts.ts';
import {
  configuration,
  isFinished,
  isRunning,
  newInstallation,
  submit,
  untilRun,
} from './installation.ts';
import { until } from './until.ts';

const missing = missingForHosts();

interface Detailed {
  readonly name: string;
  readonly hostname: string;
  readonly price: number;
  readonly total_blocks: number;
  readonly gpu_driver: { readonly version: string } | null;
  readonly instance_type: {
    readonly resources: {
      readonly gpus: readonly { readonly name: string; readonly memory_mib: number }[];
    };
  };
}

interface Placed {
  readonly latest_job_submission: {
    readonly exit_status: number | null;
    readonly job_provisioning_data: {
      readonly hostname: string;
      readonly username: string;
      readonly ssh_port: number;
      readonly internal_ip: string | null;
      readonly price: number;
    };
  };
}

describe.skipIf(missing !== null)('options of an SSH fleet', () => {
  let machines: TestHosts;
  let first: TestHost;
  let second: TestHost;
  let between: TestHost;
  let home: Installation;
  beforeAll(async () => {
    machines = await startHosts({ count: 3, docker: [1, 2] });
    [first, second, between] = machines.hosts as [TestHost, TestHost, TestHost];
    await machines.busybox(IMAGE, [first, second]);
    home = newInstallation();
    await home.startServer();
  });
  afterAll(async () => {
    await home?.dispose();
    machines?.close();
  });
  afterEach(async () => {
    await home.ok('fleet', 'delete', 'pool', '-y');
    const listed = () => home.api<object[]>('/api/project/main/fleets/list', {});
    await until(async () => (await listed()).length === 0);
  });

  async function apply(ssh: object, more: object = {}): Promise<string> {
    const text = JSON.stringify({ type: 'fleet', name: 'pool', ssh_config: ssh, ...more });
    return await home.ok('apply', '-f', configuration(home, 'pool.dstack.yml', text), '-y', '-d');
  }

  const root = () => ({ user: 'root', identity_file: machines.keyPath });
  const addresses = () => [first.address, second.address];

  async function idle(): Promise<readonly Detailed[]> {
    await untilInstances(home, 'pool', allIdle);
    const fleet = await home.api<{ instances: Detailed[] }>('/api/project/main/fleets/get', {
      name: 'pool',
    });
    return fleet.instances;
  }

  async function refusal(): Promise<string> {
    const instances = await untilInstances(home, 'pool', (all) =>
      all.every(({ status }) => status === 'terminated'),
    );
    return instances[0]?.termination_reason_message ?? '';
  }

  /** Runs a task to its end and returns its host and its output. */
  async function task(name: string, command: string, more = onFleet('pool')) {
    await submit(home, name, [command], more);
    const run = (await untilRun(home, name, isFinished)) as unknown as Placed;
    expect(run.latest_job_submission.exit_status).toBe(0);
    return {
      ...run.latest_job_submission.job_provisioning_data,
      output: await home.ok('logs', name),
    };
  }

  it('a jump host: all hosts behind it are reached through one connection', async () => {
    const proxy_jump = { hostname: between.address, ...root() };
    await apply({ ...root(), proxy_jump, hosts: addresses() });
    await idle();
    const comers = async (host: TestHost) =>
      (await host.exec("ss -Htn state established '( sport = :22 )' | awk '{print $4}'"))
        .trim()
        .split('\n')
        .map((peer) => peer.replace(/:\d+$/, ''));
    // The other connection belongs to the process that runs this command.
    expect(await comers(between)).toEqual([machines.gateway, machines.gateway]);
    for (const host of [first, second]) {
      expect((await comers(host)).sort()).toEqual([machines.gateway, between.address].sort());
    }
    expect((await task('behind', 'echo hello')).output).toContain('hello');
  });

  it('a user, key, port, address and blocks per host, and an environment for all', async () => {
    await addUser(first, 'dev', 'dev ALL=(ALL) NOPASSWD: ALL');
    const key = join(home.home, 'dev-key');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
    const authorized = readFileSync(`${key}.pub`, 'utf8').trim();
    await first.exec(
      `mkdir -p /home/dev/.ssh; echo '${authorized}' > /home/dev/.ssh/authorized_keys; chown -R dev: /home/dev/.ssh; ip addr add 10.99.0.7/24 dev eth0`,
    );
    await changeSshd(first, `echo "ListenAddress ${first.address}:2222" >> $file`);
    const own = {
      user: 'dev',
      identity_file: key,
      port: 2222,
      internal_ip: '10.99.0.7',
      blocks: 2,
    };
    await apply(
      {
        ...root(),
        hosts: [
          { hostname: first.address, ...own },
          { hostname: second.address, internal_ip: second.address, blocks: 'auto' },
        ],
      },
      { env: { OF_FLEET: 'fleet', OF_BOTH: 'fleet' } },
    );
    const [one, other] = await idle();
    expect(one).toMatchObject({ hostname: first.address, total_blocks: 2 });
    // No GPUs: a block per CPU.
    const cpus = Number(await second.exec('nproc'));
    expect(other).toMatchObject({ hostname: second.address, total_blocks: cpus });
    const env = 'env:\n  - OF_BOTH=run\n';
    const placed = await task('env', 'echo "$OF_FLEET and $OF_BOTH"', onFleet('pool') + env);
    expect(placed.output).toContain('fleet and run');
    const all = [
      { hostname: first.address, username: 'dev', ssh_port: 2222, internal_ip: '10.99.0.7' },
      { hostname: second.address, username: 'root', ssh_port: 22, internal_ip: second.address },
    ];
    expect(all).toContainEqual(
      expect.objectContaining({
        hostname: placed.hostname,
        ssh_port: placed.ssh_port,
        username: placed.username,
        internal_ip: placed.internal_ip,
      }),
    );
  });

  it('a price per host: the cheapest free one is used, and counted in the costs', async () => {
    const hosts = [{ hostname: first.address, price: 3600 }, second.address];
    await apply({ ...root(), price: 1800, hosts });
    const prices = (await idle()).map(({ hostname, price }) => [hostname, price]);
    expect(Object.fromEntries(prices)).toEqual({ [first.address]: 3600, [second.address]: 1800 });
    const placed = await task('priced', 'sleep 2');
    expect(placed).toMatchObject({ hostname: second.address, price: 1800 });
    expect(await home.ok('ps', '-a')).toMatch(/priced .*\$1800/);
    // $1800 an hour for two seconds, and some time to start.
    const cost = Number(/priced[^\n]*\$([\d.]+)/.exec(await home.ok('cost'))?.[1]);
    expect(cost).toBeGreaterThanOrEqual(1);
  });

  it('an environment with any characters, none of which are interpreted', async () => {
    const LINES =
      "one\nDSTACK_LAUNCHER\ntouch /pwned\nDSTACK_TOKEN\n'two' $(touch /pwned)`touch /pwned`\n";
    await apply({ ...root(), hosts: [first.address] }, { env: { LINES } });
    await idle();
    expect(await first.exec('ls /pwned 2>/dev/null; cat /var/lib/dstack/start-agent')).not.toMatch(
      /pwned/,
    );
    const kept = await first.exec('ls -l /var/lib/dstack');
    expect(kept).toMatch(/^-rw------- .* environment\.json$/m);
    expect(kept).toMatch(/^-rw------- .* token$/m);
    expect(kept).not.toContain('incoming');
    const { output } = await task('exact', 'printf "%s" "$LINES" | base64 | tr -d "\\n"; echo .');
    expect(output).toContain(`${Buffer.from(LINES).toString('base64')}.`);
    expect(await first.exec('ls /pwned 2>/dev/null || echo clean')).toBe('clean\n');
  });

  it('a network, in which the hosts reach each other', async () => {
    await first.exec('ip addr replace 10.98.0.7/24 dev eth0');
    await apply({ ...root(), network: '10.98.0.0/16', hosts: [first.address] });
    await idle();
    expect(await task('network', 'true')).toMatchObject({ internal_ip: '10.98.0.7' });
  });

  it('a network that a host is not in', async () => {
    await apply({ ...root(), network: '192.168.99.0/24', hosts: [second.address] });
    expect(await refusal()).toMatch(/Failed to locate internal IP address on the given network/);
  });

  it('an internal address that a host does not have', async () => {
    await apply({ ...root(), hosts: [{ hostname: second.address, internal_ip: '10.1.2.3' }] });
    expect(await refusal()).toMatch(/Specified internal IP not found.*10\.1\.2\.3/);
  });

  it('a number of blocks that does not divide the host', async () => {
    await apply({ ...root(), hosts: [{ hostname: second.address, blocks: 7 }] });
    expect(await refusal()).toMatch(/Cannot split into blocks/);
  });

  it('other blocks: a job that runs keeps the host as it is, and two share it once that has ended', async () => {
    const ssh = { ...root(), hosts: [first.address] };
    await apply(ssh);
    const [before] = await idle();
    const waiting = async (name: string) => {
      await submit(home, name, ['until [ -e /tmp/go ]; do sleep 0.1; done'], onFleet('pool'));
    };
    const go = () =>
      first.exec('for id in $(docker ps -q); do docker exec $id touch /tmp/go; done');
    await waiting('alone');
    await untilRun(home, 'alone', isRunning);
    expect(await apply(ssh, { blocks: 2 })).toMatch(
      /note: pool-0 gets its new `blocks` once no job\s+runs there/,
    );
    expect(await home.ok('fleet')).toContain('divided into 2 blocks once no job runs there');
    expect(await home.ok('explain', 'instance', 'pool-0')).toContain('its new `blocks` (2)');
    await go();
    expect(await untilRun(home, 'alone', isFinished)).toMatchObject({ status: 'done' });
    const [after] = await idle();
    expect(after).toEqual({ ...before, total_blocks: 2 });
    await Promise.all(['left', 'right'].map(waiting));
    await Promise.all(['left', 'right'].map((name) => untilRun(home, name, isRunning)));
    expect(await home.ok('fleet')).toContain('2/2 busy');
    await go();
    await Promise.all(['left', 'right'].map((name) => untilRun(home, name, isFinished)));
  });

  /** The rest of a task that requests these GPUs; `submit` has requested none. */
  const wanting = async (name: string, gpu: string, command: string) => {
    const yaml = `type: task\nname: ${name}\ncommands: [${JSON.stringify(command)}]\nresources:\n  gpu: ${gpu}\n${onFleet('pool')}`;
    return await home.dstack(['apply', '-f', configuration(home, `${name}.yml`, yaml), '-y', '-d']);
  };

  async function gpuTask(name: string, gpu: string, command: string): Promise<string> {
    expect(await wanting(name, gpu, command)).toMatchObject({ code: 0 });
    await untilRun(home, name, isFinished);
    return await home.ok('logs', name);
  }

  it('blocks by NVIDIA GPUs: offers match them, and each job has its own', async () => {
    await giveAccelerators(first, {
      devices: ['nvidiactl', 'nvidia0', 'nvidia1'],
      tool: 'nvidia-smi',
      prints:
        'NVIDIA A100-SXM4-80GB, 81920, GPU-aa, 550.54.14\nNVIDIA A100-SXM4-80GB, 81920, GPU-bb, 550.54.14',
    });
    await withNvidiaHook(first);
    await apply({ ...root(), hosts: [{ hostname: first.address, blocks: 'auto' }] });
    const [instance] = await idle();
    expect(instance).toMatchObject({
      total_blocks: 2,
      gpu_driver: { version: '550.54.14' },
      instance_type: { resources: { gpus: Array(2).fill({ name: 'A100', memory_mib: 81920 }) } },
    });
    expect(await home.ok('fleet')).toContain('gpu=A100:80GB:2');
    const script = 'echo "mine: $NVIDIA_VISIBLE_DEVICES"; sleep 3';
    const names = ['left', 'right'];
    const outputs = await Promise.all(names.map((name) => gpuTask(name, 'A100:1', script)));
    const mine = outputs.map((output) => /mine: (\S+)/.exec(output)?.[1]);
    expect(mine.sort()).toEqual(['GPU-aa', 'GPU-bb']);
    await wanting('else', 'H100:1', 'true');
    expect(await untilRun(home, 'else', isFinished)).toMatchObject({ status: 'failed' });
  });

  const card = (bdf: string) => ({
    asic: { market_name: 'AMD Instinct MI300X' },
    vram: { size: { value: 196592 } },
    bus: { bdf },
    driver: { version: '6.8.5' },
  });
  const board = (board_id: string) => ({
    board_info: { board_type: 'n150', board_id, bus_id: '0000:01:00.0' },
  });

  it.each<[string, Accelerators, string, string, RegExp]>([
    [
      'AMD',
      {
        devices: ['kfd', 'dri/renderD128', 'dri/renderD129'],
        links: {
          'dri/by-path/pci-0000:05:00.0-render': '../renderD128',
          'dri/by-path/pci-0000:06:00.0-render': '../renderD129',
        },
        tool: 'amd-smi',
        prints: JSON.stringify([card('0000:05:00.0'), card('0000:06:00.0')]),
      },
      'MI300X',
      'ls /dev/kfd /dev/dri',
      /\/dev\/kfd\s+\/dev\/dri:\s+renderD12[89]\s*$/,
    ],
    [
      'Tenstorrent',
      {
        devices: ['tenstorrent/0', 'tenstorrent/1'],
        tool: 'tt-smi',
        prints: JSON.stringify({ device_info: [board('b1'), board('b2')] }),
      },
      'n150',
      'ls /dev/tenstorrent',
      /^\s*[01]\s*$/m,
    ],
  ])('GPUs of %s, one for a job', async (_vendor, given, name, command, printed) => {
    await giveAccelerators(second, given);
    await apply({ ...root(), hosts: [{ hostname: second.address, blocks: 'auto' }] });
    const [instance] = await idle();
    expect(instance?.instance_type.resources.gpus.map((gpu) => gpu.name)).toEqual([name, name]);
    expect(instance?.total_blocks).toBe(2);
    expect(await gpuTask(`on-${given.tool}`, `${name}:1`, command)).toMatch(printed);
  });

  it('GPUs of Intel', async () => {
    await giveAccelerators(second, {
      devices: ['accel/accel0', 'accel/accel1'],
      tool: 'hl-smi',
      prints: 'HL-225, 98304, 0\nHL-225, 98304, 1',
    });
    await apply({ ...root(), hosts: [second.address] });
    const [instance] = await idle();
    expect(instance?.instance_type.resources.gpus).toEqual(
      Array(2).fill(expect.objectContaining({ name: 'Gaudi2', memory_mib: 98304 })),
    );
  });
});
