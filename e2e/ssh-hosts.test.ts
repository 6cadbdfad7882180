import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Installation } from '@dstack/testkit';
import { startHosts, systemdMissing, type TestHost, type TestHosts } from '@dstack/testkit/hosts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { countedTo, counting, linesOf, seenInLogs } from './counting.ts';
import { addUser, changeSshd, makeBare } from './host-kinds.ts';
import {
  afterFailure,
  allIdle,
  IMAGE,
  missingForHosts,
  onFleet,
  sshConfig,
  untilInstances,
} from './hosts.ts';
import {
  configuration,
  isFinished,
  isRunning,
  newInstallation,
  submit,
  untilRun,
} from './installation.ts';
import { newerBuild } from './newer-build.ts';
import { until } from './until.ts';

const run = promisify(execFile);
const missing = missingForHosts();
const noSystemd = systemdMissing();
if (noSystemd && !missing)
  console.warn(`Hosts with systemd are NOT tested: ${noSystemd} is missing`);

describe.skipIf(missing !== null)('hosts of an SSH fleet', () => {
  let machines: TestHosts;
  let bare: TestHost;
  let managed: TestHost;
  let plain: TestHost;
  let home: Installation;
  beforeAll(async () => {
    machines = await startHosts({ count: 3, systemd: noSystemd ? [] : [2] });
    [bare, managed, plain] = machines.hosts as [TestHost, TestHost, TestHost];
    await machines.busybox(IMAGE);
    home = newInstallation();
    await home.startServer();
  });
  afterEach(({ task }) => afterFailure(task, home, machines.hosts));
  afterAll(async () => {
    await home?.dispose();
    machines?.close();
  });

  function fleetFile(name: string, hosts: readonly TestHost[], user: string): string {
    const addresses = JSON.stringify(hosts.map(({ address }) => address));
    const yaml = `type: fleet\nname: ${name}\nssh_config:\n  user: ${user}\n  identity_file: ${machines.keyPath}\n  hosts: ${addresses}\n`;
    return configuration(home, `${name}.dstack.yml`, yaml);
  }

  async function apply(name: string, hosts: readonly TestHost[], user = 'root'): Promise<void> {
    await home.ok('apply', '-f', fleetFile(name, hosts, user), '-y', '-d');
  }

  async function remove(name: string): Promise<void> {
    await home.ok('fleet', 'delete', name, '-y');
    const listed = () => home.api<{ name: string }[]>('/api/project/main/fleets/list', {});
    await until(async () => !(await listed()).some((one) => one.name === name));
  }

  const ssh = async (...args: string[]) =>
    (await run('ssh', ['-n', '-F', sshConfig(home), ...args], { env: home.env })).stdout;

  async function attached(name: string): Promise<void> {
    home.spawn(['attach', name]);
    const written = () => existsSync(sshConfig(home)) && readFileSync(sshConfig(home), 'utf8');
    await until(async () => `${written()}`.includes(`Host ${name}\n`));
  }

  async function ended(name: string): Promise<void> {
    await home.ok('stop', name, '--abort', '-y');
    await untilRun(home, name, isFinished);
  }

  describe('without any C library', () => {
    beforeAll(async () => {
      await makeBare(bare);
      await apply('bare', [bare]);
    });

    it('have an agent that runs with its own loader and libraries', async () => {
      expect(await bare.exec('ls /lib /lib64 2>&1 || true')).toMatch(/No such file/);
      await untilInstances(home, 'bare', allIdle);
      expect(await agentWords(bare)).toMatch(OWN_LOADER);
    });

    it('run a job, accept its user, and transfer files, all with programs of that agent', async () => {
      await submit(home, 'inside', ['echo hello; sleep 600'], onFleet('bare'));
      await untilRun(home, 'inside', isRunning);
      await attached('inside');
      expect(await ssh('inside', 'echo $DSTACK_RUN_NAME')).toBe('inside\n');
      const [file, back] = [`${home.home}/sent`, `${home.home}/back`];
      writeFileSync(file, randomBytes(3_000_000));
      const scp = (...args: string[]) => run('scp', ['-F', sshConfig(home), ...args]);
      await scp(file, 'inside:/tmp/it');
      await scp('inside:/tmp/it', back);
      expect(readFileSync(back)).toEqual(readFileSync(file));
      await ssh('inside', 'echo page > /tmp/a; httpd -p 127.0.0.1:8123 -h /tmp > /dev/null 2>&1');
      const ask = `printf 'GET /a HTTP/1.0\\r\\n\\r\\n' | ssh -F ${sshConfig(home)} -W 127.0.0.1:8123 inside`;
      expect((await run('sh', ['-c', ask], { env: home.env })).stdout).toMatch(/page\n$/);
      expect(await home.ok('logs', 'inside')).toContain('hello');
      await ended('inside');
    });

    it('are left as they were', async () => {
      await remove('bare');
      expect(await bare.exec('ls -d /var/lib/dstack /opt/dstack || true')).toBe('');
    });
  });

  describe('with an old C library', () => {
    const installTool = (tool: string, answer: string) =>
      plain.exec(
        `printf '%s\\n' '#!/bin/sh' '${answer}' > /usr/local/bin/${tool}; chmod 755 /usr/local/bin/${tool}`,
      );

    it('are refused if their processor differs and no libraries for it are installed', async () => {
      await installTool('getconf', 'echo glibc 2.17');
      await installTool('uname', '[ $1 = -m ] && echo aarch64 || echo Linux');
      await apply('refused', [plain]);
      await refusedWith(
        /cannot run Node by itself \(its glibc is 2\.17, older than 2\.28\), and this server \(linux \w+\) has no libraries.*copy ld-linux-aarch64\.so\.1, .* into \S+\/libraries-arm64 on the server/,
      );
      await plain.exec('rm /usr/local/bin/uname');
    });

    it('have an agent with its own libraries', async () => {
      await apply('old', [plain]);
      await untilInstances(home, 'old', allIdle);
      expect(await agentWords(plain)).toMatch(OWN_LOADER);
      await remove('old');
      await plain.exec('rm /usr/local/bin/getconf');
    });
  });

  describe.skipIf(noSystemd !== null)('run by systemd', () => {
    it('run the agent as a valid systemd unit', async () => {
      await apply('managed', [managed]);
      await untilInstances(home, 'managed', allIdle);
      expect(
        await managed.exec('systemctl is-active dstack-agent; systemctl is-enabled dstack-agent'),
      ).toBe('active\nenabled\n');
      expect(await managed.exec('systemd-analyze verify dstack-agent.service 2>&1')).toBe('');
    });

    const agentPid = async () =>
      (await managed.exec('systemctl show -p MainPID --value dstack-agent')).trim();

    it('keep their jobs while the agent is upgraded in place', async () => {
      await submit(home, 'lasting', counting(120), onFleet('managed'));
      await untilRun(home, 'lasting', isRunning);
      await seenInLogs(home, 'lasting', 'line 3');
      const before = await agentPid();
      const newer = newerBuild();
      try {
        await home.stopServer();
        const later = new Installation({ dstack: join(newer, 'bin', 'dstack'), env: home.env });
        await later.startServer();
        await until(async () => ![before, '0'].includes(await agentPid()));
        const path = await managed.exec(`tr '\\0' '\\n' < /proc/${await agentPid()}/cmdline`);
        const folder = /^(\S+)\/main\.js$/m.exec(path)?.[1];
        expect(await managed.exec(`tail -n 1 ${folder}/main.js`)).toBe('// newer\n');
        await later.dispose();
      } finally {
        rmSync(newer, { recursive: true, force: true });
      }
      await home.startServer();
      const finished = await untilRun(home, 'lasting', isFinished);
      expect(finished.latest_job_submission.exit_status).toBe(3);
      expect(await linesOf(home, 'lasting')).toEqual(countedTo(120));
    });

    it('restart the agent when it dies', async () => {
      await untilInstances(home, 'managed', allIdle);
      const before = await agentPid();
      await managed.exec(`kill -9 ${before}`);
      await until(async () => ![before, '0'].includes(await agentPid()));
      await untilInstances(home, 'managed', allIdle);
    });

    it('lose unit, agent and programs with their fleet', async () => {
      await remove('managed');
      expect(
        await managed.exec(
          'ls -d /var/lib/dstack /opt/dstack /run/dstack /etc/systemd/system/dstack* 2>/dev/null; pgrep -f [m]ain.js; systemctl is-active dstack-agent || true',
        ),
      ).toBe('inactive\n');
    });
  });

  describe('with a login user who is not root', () => {
    it('are added if sudo needs no password, and users of jobs log in through that user', async () => {
      await addUser(plain, 'dev', 'dev ALL=(ALL) NOPASSWD: ALL');
      await apply('sudo', [plain], 'dev');
      await untilInstances(home, 'sudo', allIdle);
      await submit(home, 'through', ['sleep 600'], onFleet('sudo'));
      await untilRun(home, 'through', isRunning);
      expect(
        await plain.exec('stat -c "%U %a" /home/dev/.ssh /home/dev/.ssh/authorized_keys'),
      ).toBe('dev 700\ndev 600\n');
      await attached('through');
      expect(await ssh('through', 'echo $DSTACK_RUN_NAME')).toBe('through\n');
      await ended('through');
      await remove('sudo');
      expect(await plain.exec('grep -c dstack /home/dev/.ssh/authorized_keys || true')).toBe('0\n');
    });

    it('are refused if sudo requires a password', async () => {
      await addUser(plain, 'asked', 'asked ALL=(ALL) ALL');
      await apply('refused', [plain], 'asked');
      await refusedWith(
        /The login user asked is not root and has no sudo without a password \(sudo: a password is required\): allow it as root by `echo 'asked ALL=\(ALL\) NOPASSWD: ALL' > \/etc\/sudoers\.d\/dstack`, or log in as root/,
      );
    });
  });

  describe('with missing requirements', () => {
    it('are refused with every step shown to the user who waits for them', async () => {
      await changeSshd(plain, 'sed -i "s/^AllowStream.*/AllowStreamLocalForwarding no/" $file');
      const file = fleetFile('refused', [plain], 'root');
      const { code, stderr } = await home.dstack(['apply', '-f', file, '-y']);
      expect(code).toBe(1);
      const steps = `${plain.address}: (Checking the host|Installing the agent|Starting the agent)`;
      expect(stderr).toMatch(
        new RegExp(`${steps}[^]*1 of 1 instances failed[^]*line \\d+, contains`),
      );
      await changeSshd(plain, 'sed -i "s/^AllowStream.*/AllowStreamLocalForwarding yes/" $file');
      await remove('refused');
    });

    it('are refused with the line of sshd_config that keeps users from their jobs', async () => {
      await changeSshd(plain, 'echo AllowTcpForwarding no >> $file');
      await apply('refused', [plain]);
      await refusedWith(
        /forbids TCP forwarding.*: \/etc\/test-host\/sshd_config, line \d+, contains `AllowTcpForwarding no`: change it to `AllowTcpForwarding yes` and reload sshd/,
      );
      await changeSshd(plain, 'sed -i /^AllowTcp/d $file');
    });

    it('are refused with the line of sshd_config that keeps the server from the agent', async () => {
      await changeSshd(plain, 'sed -i "s/^AllowStream.*/AllowStreamLocalForwarding no/" $file');
      await apply('refused', [plain]);
      await refusedWith(
        /forbids forwarding to unix sockets.*: \/etc\/test-host\/sshd_config, line \d+, contains `AllowStreamLocalForwarding no`/,
      );
      await changeSshd(plain, 'sed -i "s/^AllowStream.*/AllowStreamLocalForwarding yes/" $file');
    });

    it('are refused while the disk is too small, and added once it is not', async () => {
      const dirs = ['/opt/dstack', '/var/lib/dstack/programs'];
      for (const dir of dirs) {
        await plain.exec(`mkdir -p ${dir}; mount -t tmpfs -o size=50m tmpfs ${dir}`);
      }
      await apply('refused', [plain]);
      await refusedWith(
        /too little disk for the agent \(free: 50 of \d+ MB in \/opt\/dstack, 50 of \d+ MB in \/var\/lib\/dstack\/programs\): make room there/,
      );
      await plain.exec(`mount -o remount,size=1g ${dirs[1]}`);
      await apply('roomy', [plain]);
      await untilInstances(home, 'roomy', allIdle);
      expect(await plain.exec(`ls ${dirs[1]}`)).toMatch(/agent-\w+\nnode-\w+\n/);
      await plain.exec(`umount -l ${dirs[0]}`);
      await remove('roomy');
    });
  });

  /** The reason is shown where users look: with the fleet, and among its events. */
  async function refusedWith(message: RegExp): Promise<void> {
    const instances = await untilInstances(home, 'refused', (all) =>
      all.every(({ status }) => status === 'terminated'),
    );
    expect(instances[0]?.termination_reason_message).toMatch(message);
    const name = instances[0]?.termination_reason_message?.split(':')[0] ?? 'nowhere';
    expect(await home.ok('fleet')).toContain(name);
    expect(await home.ok('event', '--within-fleet', 'refused')).toMatch(message);
    await remove('refused');
    // Everything that was copied there, including a running agent.
    const left = 'find /opt/dstack /var/lib/dstack -type f; pgrep -f "dstack/[a]gent-" || true';
    expect(await plain.exec(`(${left}) 2>/dev/null`)).toBe('');
  }
});

const OWN_LOADER = /^\S+\/libraries-\w+\/ld-linux\S+ --library-path \S+ \S+\/bin\/node /;

/** The agent's command line. */
async function agentWords(host: TestHost): Promise<string> {
  const pid = `$(sed 's/.*pid":\\([0-9]*\\).*/\\1/' /var/lib/dstack/agent.lock)`;
  return await host.exec(`tr '\\0' ' ' < /proc/${pid}/cmdline`);
}
