import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostsMissing, startHosts, type TestHost, type TestHosts } from './hosts.ts';

const SCRIPT = join(import.meta.dirname, '..', 'hosts', 'make-test-hosts.sh');
const missing = hostsMissing();
if (missing && process.env.CI) throw new Error(`Hosts cannot be tested: ${missing} is missing`);
if (missing) console.warn(`Hosts are NOT tested: ${missing} is missing`);

/** Whether its sshd sends its greeting within half a second. */
function answers({ address }: TestHost): Promise<boolean> {
  const socket = connect(22, address);
  return new Promise((resolve) => {
    const end = (yes: boolean) => {
      socket.destroy();
      resolve(yes);
    };
    socket.setTimeout(500, () => end(false));
    socket.on('error', () => end(false));
    socket.on('data', () => end(true));
  });
}

/** The test's own time limit applies. */
async function untilAnswers(host: TestHost): Promise<void> {
  while (!(await answers(host)));
}

describe.skipIf(missing !== null)('hosts', () => {
  let machines: TestHosts;
  let one: TestHost;
  let two: TestHost;
  beforeAll(async () => {
    machines = await startHosts({ count: 2, docker: [] });
    [one, two] = machines.hosts as [TestHost, TestHost];
  });
  afterAll(() => machines?.close());

  it('have their own name, address and files', async () => {
    expect((await one.exec('hostname')).trim()).toBe(one.name);
    expect(await one.exec('ip -4 addr')).toContain(`${one.address}/`);
    await one.exec('echo mine > /etc/only-here');
    await expect(two.exec('cat /etc/only-here')).rejects.toThrow();
    expect(existsSync('/etc/only-here')).toBe(false);
    await expect(one.exec('exit 7')).rejects.toMatchObject({ code: 7 });
  });

  it('accept the key by SSH', () => {
    const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR'];
    const args = [
      '-F',
      '/dev/null',
      '-i',
      machines.keyPath,
      ...options.flatMap((it) => ['-o', it]),
    ];
    const printed = execFileSync('ssh', [...args, `root@${two.address}`, 'hostname'], {
      encoding: 'utf8',
    });
    expect(printed.trim()).toBe(two.name);
  });

  it('are unreachable while their link is cut, each separately', async () => {
    // Only what must not answer has a short limit: this computer may be busy.
    const fromTwo = (seconds: number) =>
      two.exec(`timeout ${seconds} bash -c '</dev/tcp/${one.address}/22'`);
    await fromTwo(60);
    one.cut();
    expect(await answers(one)).toBe(false);
    await untilAnswers(two);
    await expect(fromTwo(1)).rejects.toThrow();
    one.restore();
    await untilAnswers(one);
    await fromTwo(60);
  });

  it('lose their processes and /run when they crash, and keep their disks', async () => {
    const bootId = () => one.exec('cat /proc/sys/kernel/random/boot_id');
    const before = await bootId();
    await one.exec('echo kept > /root/disk; echo lost > /run/memory');
    await one.exec('setsid sleep 98765 > /dev/null 2>&1 &');
    await one.crash();
    expect(await answers(one)).toBe(false);
    await one.boot();
    await untilAnswers(one);
    expect(await one.exec('cat /root/disk; ls /run/memory 2> /dev/null || true')).toBe('kept\n');
    expect(await one.exec('pgrep -f "sleep 9876[5]" || echo none')).toBe('none\n');
    expect(await bootId()).not.toBe(before);
  });

  it('leave nothing behind', async () => {
    const own = await startHosts({ count: 1, docker: [] });
    const [host] = own.hosts as [TestHost];
    const links = () => execFileSync('ip', ['-br', 'link'], { encoding: 'utf8' });
    const dir = dirname(own.keyPath);
    expect(links()).toContain(host.name.slice(0, -1));
    own.close();
    expect(links()).not.toContain(host.name.slice(0, -1));
    expect(existsSync(dir)).toBe(false);
    expect(execFileSync('cat', ['/proc/mounts'], { encoding: 'utf8' })).not.toContain(dir);
    expect(await answers(host)).toBe(false);
    expect(await answers(two)).toBe(true);
  });

  it('have no part in a process that has the number of theirs after they have ended', async () => {
    const base = mkdtempSync(join(tmpdir(), 'ended-hosts-'));
    const shell = spawn('sh', ['-c', 'sleep 1000 & echo started; wait'], { detached: true });
    await once(shell.stdout, 'data');
    mkdirSync(join(base, '1'));
    writeFileSync(join(base, '1', 'unshare.pid'), String(shell.pid));
    const env = { ...process.env, BASE: base, PREFIX: 'ended', NET: '10.213.251' };
    execFileSync(SCRIPT, ['down'], { env });
    expect(existsSync(base)).toBe(false);
    // The shell would end by itself, with 0, if the program that it waits for was killed.
    process.kill(-(shell.pid ?? 0), 'SIGKILL');
    expect(await once(shell, 'close')).toEqual([null, 'SIGKILL']);
  });
});
