import { ClusterLogins, type SlurmClusterConfig } from '@dstack/backends/slurm';
import { JumpHosts } from '@dstack/ssh';
import { hostsMissing, startHosts, type TestHost, type TestHosts } from '@dstack/testkit/hosts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sshOpener } from './backend-host.ts';

const missing = hostsMissing();
if (missing && process.env.CI)
  throw new Error(`jump hosts cannot be tested: ${missing} is missing`);
if (missing) console.warn(`jump hosts of Slurm clusters are NOT tested: ${missing} is missing`);

describe.skipIf(missing !== null)('the login to a cluster behind a jump host', () => {
  let machines: TestHosts;
  let jump: TestHost;
  let login: TestHost;
  let logins: ClusterLogins;
  const pins = new Map<string, string>();
  const meta = {
    get: async (key: string) => pins.get(key) ?? null,
    setOnce: async (key: string, value: string) => {
      if (!pins.has(key)) pins.set(key, value);
      return pins.get(key) ?? value;
    },
  };
  beforeAll(async () => {
    machines = await startHosts({ count: 2, docker: [] });
    [jump, login] = machines.hosts as [TestHost, TestHost];
    // By its answers: the connection that sets this up is not cut off.
    await login.exec(
      `(sleep 0.1; iptables -A OUTPUT -p tcp --sport 22 -d ${machines.gateway} -j DROP) >/dev/null 2>&1 &`,
    );
  });
  afterAll(() => machines?.close());
  beforeEach(() => {
    pins.clear();
    logins = newLogins();
  });
  afterEach(() => logins.close());

  const newLogins = () =>
    new ClusterLogins({
      facts: meta,
      ssh: sshOpener({ mayDial: () => true, jumps: new JumpHosts({ answerMs: 2000 }) }),
    });

  const cluster = (more: object = {}): SlurmClusterConfig => ({
    ...{ name: 'hpc', hostname: login.address, port: null, user: 'root' },
    ...{ gpu_partitions: null, cpu_partitions: null },
    private_key: { path: '', content: machines.privateKey },
    proxy_jump: { hostname: jump.address, port: null, user: 'root', private_key: null, ...more },
  });

  const hostname = async (of: ClusterLogins, config = cluster()) => {
    const { stdout } = await (await of.connect(config)).run('hostname', 9000);
    return stdout.trim();
  };

  it('leads through it, with the key of the login node or its own, and to compute nodes', async () => {
    expect(await hostname(logins)).toBe(login.name);
    const own = cluster({ private_key: { path: '', content: machines.privateKey } });
    expect(await hostname(logins, own)).toBe(login.name);
    const stream = await (await logins.connect(own)).forward({ host: jump.address, port: 22 });
    const banner = await new Promise((resolve) =>
      stream.once('data', (data) => resolve(`${data}`)),
    );
    expect(banner).toMatch(/^SSH-2.0/);
    stream.destroy();
    const copies = await logins.separate(own);
    expect(await copies.exec('hostname', { input: '', timeoutMs: 9000 })).toMatchObject({
      stdout: `${login.name}\n`,
    });
    copies.close();
  });

  it('stores the keys of both hosts, and refuses others later, with the setting to change', async () => {
    await hostname(logins);
    const address = `${jump.address}:22`;
    expect([...pins.keys()].sort()).toEqual(
      [`slurm-host-key:${address}`, `slurm-host-key:${login.address}:22 behind ${address}`].sort(),
    );
    for (const [key, setting] of [
      [`slurm-host-key:${address}`, '`proxy_jump.hostname`'],
      [`slurm-host-key:${login.address}:22 behind ${address}`, '`hostname`'],
    ] as const) {
      const known = pins.get(key) ?? '';
      pins.set(key, 'AAAA');
      const later = newLogins();
      await expect(later.connect(cluster())).rejects.toThrow(
        new RegExp(`is not the one seen before.*address of it as ${setting} of the cluster`),
      );
      later.close();
      pins.set(key, known);
    }
  });

  it('names the jump host that is not there, or the login node that does not answer behind it', async () => {
    const nobody = cluster({ port: 1 });
    await expect(logins.connect(nobody)).rejects.toThrow(/:1 .*nothing listens there/);
    const wrong = cluster({ user: 'stranger' });
    await expect(logins.connect(wrong)).rejects.toThrow(
      new RegExp(`stranger.*${jump.address}|${jump.address}.*stranger`, 's'),
    );
    await expect(logins.connect({ ...cluster(), port: 1 })).rejects.toThrow(
      `${login.address}:1 cannot be reached through the jump host`,
    );
  });

  it('is opened again after the jump host was cut off and is back', async () => {
    expect(await hostname(logins)).toBe(login.name);
    await jump.exec("pkill -9 -f 'sshd: root' || true").catch(() => {});
    let seen = '';
    while (seen !== login.name) seen = await hostname(logins).catch(() => '');
  });
});
