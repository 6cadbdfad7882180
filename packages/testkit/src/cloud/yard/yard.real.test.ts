import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Cloud, type CloudOptions, startCloud } from '../start-cloud.ts';
import type { Vm } from '../vm.ts';
import { startYard, type Yard, yardMissing } from './yard.ts';

const run = promisify(execFile);
const missing = yardMissing();
if (missing && process.env.CI) throw new Error(`The yard cannot be tested: ${missing} is missing`);
if (missing) console.warn(`The yard is NOT tested: ${missing} is missing`);

const SECONDS = 1000;
/** Booting takes as long as a real host does, on a busy computer. */
const POLL = { timeout: 150 * SECONDS, interval: 100 };

describe.skipIf(missing !== null)('a machine with a host', () => {
  let yard: Yard;
  let dir: string;
  let cloud: Cloud | null = null;
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'yard-keys-'));
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dir, 'ada')]);
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dir, 'another')]);
    yard = await startYard();
  });
  afterEach(async () => {
    await cloud?.close();
    cloud = null;
    expect(yard.ids).toEqual([]);
  });
  afterAll(async () => {
    await yard?.close();
    if (dir) rmSync(dir, { recursive: true });
  });

  const publicKey = (name: string) => readFileSync(join(dir, `${name}.pub`), 'utf8').trim();

  async function start(options: Partial<CloudOptions> = {}): Promise<Cloud> {
    cloud = await startCloud({ personality: 'lambda', limits: false, hosts: yard, ...options });
    cloud.account.keys.add('ada', publicKey('ada'));
    return cloud;
  }

  async function call(method: string, path: string, body?: unknown) {
    const { url, apiKey } = cloud as Cloud;
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    expect(response.status).toBeLessThan(300);
    const text = await response.text();
    return text === '' ? null : JSON.parse(text);
  }

  const launch = (changes: object = {}) =>
    call('POST', '/api/v1/instance-operations/launch', {
      ...{ region_name: 'us-east-1', instance_type_name: 'cpu_4x_general' },
      ...{ ssh_key_names: ['ada'], name: 'vm-one', ...changes },
    }).then(({ data }) => data.instance_ids[0] as string);
  const terminate = (id: string) =>
    call('POST', '/api/v1/instance-operations/terminate', { instance_ids: [id] });

  /** Its address, when the provider reports it as active. */
  async function active(id: string): Promise<string> {
    const shown = async () => (await call('GET', `/api/v1/instances/${id}`)).data;
    await expect.poll(async () => (await shown()).status, POLL).toBe('active');
    return (await shown()).ip;
  }

  /** Runs a command by SSH with that key, and returns its output. */
  async function ssh(to: string, command: string, key = 'ada', ...more: string[]) {
    const known = ['UserKnownHostsFile=/dev/null', 'StrictHostKeyChecking=no', ...more];
    const options = ['BatchMode=yes', 'LogLevel=ERROR', ...known].flatMap((it) => ['-o', it]);
    const args = ['-F', '/dev/null', '-i', join(dir, key), ...options, to, command];
    return (await run('ssh', args)).stdout;
  }

  it('boots, runs its user data by cloud-init, and leaves nothing behind when it is ended', async () => {
    const { history, vms } = await start();
    const userData = [
      '#cloud-config',
      'write_files: [{path: /etc/by-cloud-init, content: hello}]',
      'runcmd: [["sh", "-c", "id -u > /run-by && mv /run-by /ran"]]',
    ];
    const id = await launch({ user_data: userData.join('\n') });
    const ip = await active(id);
    expect(await ssh(`ubuntu@${ip}`, 'hostname; cat /etc/by-cloud-init')).toBe('vm-one\nhello');
    expect(await ssh(`ubuntu@${ip}`, 'sudo -n id -u')).toBe('0\n');
    const ran = () => ssh(`ubuntu@${ip}`, 'cat /ran 2> /dev/null || true');
    await expect.poll(ran, POLL).toBe('0\n');
    await expect(ssh(`ubuntu@${ip}`, 'true', 'another')).rejects.toThrow('Permission denied');
    await terminate(id);
    await expect.poll(vms, POLL).toBe(0);
    expect(history()).toEqual([`+${id}`, `-${id}`]);
    expect(yard.ids).toEqual([]);
    await expect(ssh(`ubuntu@${ip}`, 'true', 'ada', 'ConnectTimeout=1')).rejects.toThrow();
  });

  it('has the host key that its user data brings', async () => {
    await start();
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dir, 'host')]);
    const indented = readFileSync(join(dir, 'host'), 'utf8').trim().replaceAll('\n', '\n    ');
    const lines = ['#cloud-config', 'ssh_keys:', '  ed25519_private: |', `    ${indented}`];
    const user_data = [...lines, `  ed25519_public: ${publicKey('host')}`, ''].join('\n');
    const id = await launch({ user_data });
    await active(id);
    const [type, key] = publicKey('host').split(' ');
    expect(await yard.hostKey(id)).toContain(`${type} ${key}`);
  });

  it('without user data boots with the keys of the order, keeps its disk when it is rebooted, and its address goes to a machine with another host key', async () => {
    const { faults, vms, reboot } = await start({ faults: { reuse_address: true } });
    const id = await launch();
    const ip = await active(id);
    await ssh(`ubuntu@${ip}`, 'echo kept > disk; echo lost > /run/user-file 2>/dev/null || true');
    await reboot(id);
    expect(await ssh(`ubuntu@${ip}`, 'cat disk')).toBe('kept\n');
    const key = await yard.hostKey(id);
    await terminate(id);
    await expect.poll(vms, POLL).toBe(0);
    const next = await launch({ name: 'vm-two' });
    expect(await active(next)).toBe(ip);
    expect(await yard.hostKey(next)).not.toBe(key);
    faults.set({});
    const third = await launch({ name: 'vm-three' });
    expect(await active(third)).not.toBe(ip);
  });

  it('is active although its sshd never answers, if that is its fault', async () => {
    await start({ faults: { no_ssh: 1 } });
    const ip = await active(await launch());
    await expect(ssh(`ubuntu@${ip}`, 'true', 'ada', 'ConnectTimeout=1')).rejects.toThrow();
  });

  it('ends at once when it is reclaimed', async () => {
    const { interrupt } = await start();
    const id = await launch();
    const ip = await active(id);
    await interrupt(id);
    expect(yard.ids).toEqual([]);
    expect((await call('GET', `/api/v1/instances/${id}`)).data.status).toBe('preempted');
    await expect(ssh(`ubuntu@${ip}`, 'true', 'ada', 'ConnectTimeout=1')).rejects.toThrow();
  });

  it('waits for its turn if eight others run', async () => {
    const { account, vms } = await start();
    const ids: string[] = [];
    for (let index = 0; index < 9; index++) ids.push(await launch({ name: `vm-${index}` }));
    const running = () => account.vms.all().filter(({ state }: Vm) => state === 'running').length;
    await expect.poll(running, POLL).toBe(8);
    expect(account.vms.get(ids[8] ?? '')?.state).toBe('pending');
    await terminate(ids[0] ?? '');
    await active(ids[8] ?? '');
    await Promise.all(ids.slice(1).map(terminate));
    await expect.poll(vms, POLL).toBe(0);
  });

  it('of DigitalOcean lets root in, and finds its metadata at the link-local address', async () => {
    await start({ personality: 'digitalocean' });
    const [key] = (cloud as Cloud).account.keys.all();
    const { droplet } = await call('POST', '/v2/droplets', {
      ...{ name: 'drop', region: 'nyc2', size: 's-1vcpu-1gb', image: 'ubuntu-24-04-x64' },
      ...{ ssh_keys: [Number(key?.id)], user_data: '#!/bin/sh\necho done > /ran\n' },
    });
    const shown = async () => (await call('GET', `/v2/droplets/${droplet.id}`)).droplet;
    await expect.poll(async () => (await shown()).status, POLL).toBe('active');
    const networks: { type: string; ip_address: string }[] = (await shown()).networks.v4;
    const ip = networks.find(({ type }) => type === 'public')?.ip_address;
    const get =
      "exec 3<>/dev/tcp/169.254.169.254/80; printf 'GET /metadata/v1/id HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3";
    expect(await ssh(`root@${ip}`, `bash -c '${get.replaceAll("'", "'\\''")}'`)).toContain(
      `\r\n\r\n${droplet.id}`,
    );
    await expect
      .poll(() => ssh(`root@${ip}`, 'cat /ran 2> /dev/null || true'), POLL)
      .toBe('done\n');
  });
});

it.skipIf(missing !== null)('a yard that was closed leaves no links, mounts or files', async () => {
  const yard = await startYard();
  const address = await yard.boot({
    ...{ id: 'a', name: 'left', loginUser: 'ubuntu', authorizedKeys: [], userData: null },
    ...{ hasSshd: true, reusesAddress: false, metadata: null },
  });
  const links = () => execFileSync('ip', ['-br', 'addr'], { encoding: 'utf8' });
  expect(links()).toContain(`${yard.gateway}/24`);
  expect(address.startsWith(yard.gateway.replace(/1$/, ''))).toBe(true);
  const { dir } = yard;
  await yard.close();
  expect(links()).not.toContain(`${yard.gateway}/24`);
  expect(readFileSync('/proc/mounts', 'utf8')).not.toContain(dir);
  expect(existsSync(dir)).toBe(false);
});
