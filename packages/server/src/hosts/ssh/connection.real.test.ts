import { execFileSync } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import type { HostError } from '@dstack/ssh';
import { addressOf, ChannelSocket, JumpHosts, SshConnection, type SshTarget } from '@dstack/ssh';
import type { SshLogin } from '@dstack/store';
import { hostsMissing, startHosts, type TestHost, type TestHosts } from '@dstack/testkit/hosts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { preflight } from './preflight.ts';

const missing = hostsMissing();
if (missing && process.env.CI) throw new Error(`hosts cannot be tested: ${missing} is missing`);
if (missing) console.warn(`SSH connections are NOT tested: ${missing} is missing`);

describe.skipIf(missing !== null)('a connection to a host', () => {
  let machines: TestHosts;
  let near: TestHost;
  let far: TestHost;
  const open = new Set<SshConnection>();
  beforeAll(async () => {
    machines = await startHosts({ count: 2, docker: [] });
    [near, far] = machines.hosts as [TestHost, TestHost];
  });
  afterEach(() => {
    for (const connection of open) connection.close();
    open.clear();
  });
  afterAll(() => machines?.close());

  const login = (host: TestHost, more: Partial<SshLogin> = {}): SshLogin => ({
    ...{ hostname: host.address, port: 22, user: 'root', privateKey: machines.privateKey },
    ...more,
  });

  async function connect(to: SshLogin, more: Partial<SshTarget> = {}): Promise<SshConnection> {
    const target = { login: to, hostKeys: {}, pin: async () => {}, ...more };
    const connection = await SshConnection.open(target);
    open.add(connection);
    return connection;
  }

  const failure = (to: SshLogin, more?: Partial<SshTarget>): Promise<HostError> =>
    connect(to, more).then(
      () => Promise.reject(new Error('it was let in')),
      (error) => error,
    );

  it('runs commands, with their input, output and exit code', async () => {
    const connection = await connect(login(near));
    const done = await connection.exec('cat; echo oops >&2; exit 7', {
      input: 'hi',
      timeoutMs: 60_000,
    });
    expect(done).toEqual({ code: 7, stdout: 'hi', stderr: 'oops\n' });
  });

  it('gives up a command that does not end, with the line that it printed last', async () => {
    const failureOf = async (command: string, timeoutMs: number): Promise<string> => {
      const connection = await connect(login(near));
      const running = connection.exec(command, { input: '', timeoutMs });
      return await running.then(String, ({ message }: Error) => message);
    };
    let seconds = 1;
    const printing = () => failureOf('echo one; echo two; sleep 60', seconds * 1000);
    let message = await printing();
    // A busy host may take longer to start a command.
    for (; !message.endsWith('two') && seconds < 30; message = await printing()) seconds *= 2;
    expect(message).toContain(
      `did not finish a command within ${seconds} seconds; its last line until then: two`,
    );
    expect(await failureOf('sleep 60', 1000)).toContain('it printed nothing until then');
  });

  it('runs any number of commands without keeping their state', async () => {
    const connection = await connect(login(near));
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => void warnings.push(warning);
    process.on('warning', onWarning);
    for (let command = 0; command < 12; command++) {
      await connection.exec('true', { input: '', timeoutMs: 60_000 });
    }
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
  });

  it.each([
    ['no-such-host.invalid', 22, /its name is not known to this server/],
    ['127.0.0.1', 1, /nothing listens there.*sshd.*port/],
  ])('is not possible to %s, port %i, for a reason', async (hostname, port, why) => {
    expect(await failure(login(near, { hostname, port }))).toMatchObject({
      permanent: false,
      message: expect.stringMatching(why),
    });
  });

  it('leads through a jump host, pins the keys of both, and shares the tunnel with others', async () => {
    const pinned: string[] = [];
    const keys = { hostKeys: {}, pin: async (address: string) => void pinned.push(address) };
    const jumps = new JumpHosts();
    const behind = async () => {
      const tunnel = await jumps.openTunnel(login(near), keys, login(far));
      return await connect(login(far), { ...keys, tunnel });
    };
    const connections = await Promise.all([behind(), behind(), behind()]);
    for (const connection of connections) {
      const { stdout } = await connection.exec('hostname', { input: '', timeoutMs: 60_000 });
      expect(stdout.trim()).toBe(far.name);
    }
    expect(new Set(pinned)).toEqual(new Set([addressOf(login(near)), addressOf(login(far))]));
    // One of this process, and the one that asks.
    const logins = "ss -Htn state established '( sport = :22 )' | wc -l";
    expect((await near.exec(logins)).trim()).toBe('2');
    for (const connection of connections) connection.close();
  });

  it('is given up if a jump host gets no answer from the host behind it', async () => {
    await near.exec(`iptables -A OUTPUT -d ${far.address} -j DROP`);
    const keys = { hostKeys: {}, pin: async () => {} };
    const jumps = new JumpHosts({ answerMs: 500 });
    await expect(jumps.openTunnel(login(near), keys, login(far))).rejects.toMatchObject({
      permanent: false,
      message: expect.stringMatching(
        `${addressOf(login(far))} cannot be reached through the jump host: .*no answer`,
      ),
    });
    await near.exec(`iptables -D OUTPUT -d ${far.address} -j DROP`);
  });

  it('is refused for good when a shared jump host is not the one seen before', async () => {
    const jumps = new JumpHosts();
    const fresh = { hostKeys: {}, pin: async () => {} };
    await connect(login(far), { tunnel: await jumps.openTunnel(login(near), fresh, login(far)) });
    const known = { hostKeys: { [addressOf(login(near))]: 'AAAA' }, pin: async () => {} };
    await expect(jumps.openTunnel(login(near), known, login(far))).rejects.toMatchObject({
      permanent: true,
      message: expect.stringMatching(/host key .* is not the one seen before/),
    });
  });

  it('takes keys in PKCS#8', async () => {
    const pem = execFileSync('sh', [
      '-c',
      'f=$(mktemp -u); ssh-keygen -q -t ecdsa -m PKCS8 -N "" -f $f; cat $f $f.pub; rm $f $f.pub',
    ]).toString();
    const [key = '', publicKey = ''] = pem.split(/(?<=-----END PRIVATE KEY-----\n)/);
    expect(createPrivateKey(key).asymmetricKeyType).toBe('ec');
    await near.exec(
      `mkdir -p /root/.ssh && echo '${publicKey.trim()}' >> /root/.ssh/authorized_keys`,
    );
    await connect(login(near, { privateKey: key }));
  });

  it('is refused for good with a wrong user, a wrong key and an invalid key', async () => {
    const other = execFileSync('sh', [
      '-c',
      'f=$(mktemp -u); ssh-keygen -q -t ed25519 -N "" -f $f; cat $f; rm $f $f.pub',
    ]).toString();
    expect(await failure(login(near, { user: 'stranger' }))).toMatchObject({
      permanent: true,
      message: expect.stringMatching(/refused the login of stranger/),
    });
    expect(await failure(login(near, { privateKey: other }))).toMatchObject({ permanent: true });
    expect(await failure(login(near, { privateKey: 'none' }))).toMatchObject({
      permanent: true,
      message: expect.stringMatching(/Unsupported private SSH key/),
    });
  });

  it('is refused for good when the host shows another key than before', async () => {
    const hostKeys = { [addressOf(login(near))]: 'AAAA' };
    expect(await failure(login(near), { hostKeys })).toMatchObject({
      permanent: true,
      message: expect.stringMatching(/host key .* is not the one seen before/),
    });
  });

  it('is tried again if nothing listens', async () => {
    expect(await failure(login(near, { port: 2 }))).toMatchObject({
      permanent: false,
      message: expect.stringMatching(/cannot be reached over SSH/),
    });
  });

  it('reaches unix sockets, and reports those that refuse connections', async () => {
    const connection = await connect(login(near));
    expect(await connection.answers('/run/absent.sock')).toBe(false);
    const socket = new ChannelSocket(() => connection.openSocket('/run/absent.sock'));
    const error = await new Promise((resolve) => socket.on('error', resolve));
    expect(error).toBeInstanceOf(Error);
  });

  it('finds a host without Docker, and a host of another server', async () => {
    const connection = await connect(login(near));
    await expect(preflight(connection, 'server-1')).rejects.toThrow(/No Docker on the host/);
    await near.exec('mkdir -p /var/lib/dstack && echo other > /var/lib/dstack/owner');
    await expect(preflight(connection, 'server-1')).rejects.toThrow(
      /another dstack server \(id other\)/,
    );
    await near.exec('rm -r /var/lib/dstack');
  });

  it('finds a login user who may not become root', async () => {
    await near.exec('useradd -m -p "*" plain');
    const connection = await connect(login(near, { user: 'plain' }));
    await expect(preflight(connection, 'server-1')).rejects.toThrow(/no sudo without a password/);
  });

  it('finds an sshd that forbids forwarding', async () => {
    expect(await (await connect(login(far))).forbidsForwarding(22)).toBe(false);
    await far.exec(
      "sed -i 's/^AllowStreamLocal.*/AllowTcpForwarding no/' /etc/test-host/sshd_config; kill -HUP $(cat /run/sshd.pid)",
    );
    for (let forbids = false; !forbids; ) {
      const connection = await connect(login(far)).catch(() => null);
      forbids = (await connection?.forbidsForwarding(22)) ?? false;
    }
  });
});
