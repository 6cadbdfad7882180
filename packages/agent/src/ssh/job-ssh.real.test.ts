import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { dialTcp } from '../network/dial.ts';
import { FileSpoolReader } from '../spool/file-spool-reader.ts';
import { SpoolWriter } from '../spool/spool-writer.ts';
import { generateHostKey } from './host-key.ts';
import { type JobSsh, type JobSshOptions, startJobSsh } from './job-ssh-server.ts';

interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const T0 = 1_700_000_000_000_000;
const hostKeyPem = generateHostKey();
let keys: string;
let dir: string;
let ssh: JobSsh;
let spool: SpoolWriter;
let logs: FileSpoolReader;
const servers: Server[] = [];
const children = new Set<ChildProcess>();

async function run(command: string, args: readonly string[], input = ''): Promise<Finished> {
  const child = spawn(command, args, { stdio: 'pipe' });
  children.add(child);
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (data) => {
    stdout += data;
  });
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [code] = await once(child, 'exit');
  children.delete(child);
  return { code, stdout, stderr };
}

function sshArgs(key: string, ...more: string[]): string[] {
  return [
    ...['-F', '/dev/null', '-p', String(ssh.port), '-i', join(keys, key)],
    ...['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null'],
    ...['-o', 'IdentitiesOnly=yes', '-o', 'IdentityAgent=none', '-o', 'LogLevel=ERROR'],
    ...more,
  ];
}

const publicKey = (name: string) => readFileSync(join(keys, `${name}.pub`), 'utf8');

async function start(options: Partial<JobSshOptions> = {}): Promise<void> {
  ssh = await startJobSsh({
    preferredPort: null,
    authorizedKeys: {
      user: [publicKey('user')],
      project: [publicKey('project')],
      job: [publicKey('job')],
    },
    hostKeyPem,
    dial: dialTcp,
    logs,
    ...options,
  });
}

async function restart(options: Partial<JobSshOptions>): Promise<void> {
  await ssh.close();
  await start(options);
}

async function listen(server: Server): Promise<number> {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function freePort(): Promise<number> {
  const server = createTcpServer();
  const port = await listen(server);
  server.close();
  await once(server, 'close');
  return port;
}

const control = () => join(dir, 'control.sock');

/** The command by which the official client attaches, forwarding these ports. */
async function attach(key: string, remotes: readonly string[]): Promise<number[]> {
  const locals: number[] = [];
  for (const _ of remotes) locals.push(await freePort());
  const forwards = remotes.flatMap((remote, i) => ['-L', `localhost:${locals[i]}:${remote}`]);
  const args = sshArgs(
    key,
    ...['-E', join(dir, 'ssh.log'), '-N', '-f', '-o', 'ControlMaster=auto', '-S', control()],
    ...['-o', 'ExitOnForwardFailure=yes', ...forwards, 'root@127.0.0.1'],
  );
  const { code } = await run('ssh', args);
  if (code !== 0) throw new Error(readFileSync(join(dir, 'ssh.log'), 'utf8'));
  return locals;
}

async function detach(): Promise<void> {
  await run('ssh', ['-F', '/dev/null', '-S', control(), '-O', 'exit', 'root@127.0.0.1']);
}

function print(text: string, time = T0): void {
  spool.append(Buffer.from(text), time);
}

function finish(): void {
  spool.close(T0);
  logs.finish();
}

interface Heard {
  readonly text: string;
  readonly code: number;
}

function readOutput(
  port: number | undefined,
  query = '',
): { socket: WebSocket; done: Promise<Heard> } {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/logs_ws${query}`);
  const parts: Buffer[] = [];
  socket.on('message', (data: Buffer, binary) => {
    if (binary) parts.push(data);
  });
  const done = new Promise<Heard>((resolve, reject) => {
    socket.on('error', reject);
    socket.on('close', (code) => resolve({ text: Buffer.concat(parts).toString(), code }));
  });
  return { socket, done };
}

beforeAll(async () => {
  keys = mkdtempSync(join(tmpdir(), 'keys-'));
  for (const [name, type] of Object.entries({
    user: 'rsa',
    project: 'ed25519',
    job: 'ecdsa',
    stranger: 'ed25519',
  })) {
    const size = type === 'rsa' ? ['-b', '2048'] : [];
    await run('ssh-keygen', ['-q', '-N', '', '-t', type, ...size, '-f', join(keys, name)]);
  }
});
afterAll(() => rmSync(keys, { recursive: true }));

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'jobssh-'));
  const spoolDir = join(dir, 'spool');
  spool = new SpoolWriter({ dir: spoolDir, maskedValues: [], onGrow: (end) => logs.grew(end) });
  logs = new FileSpoolReader(spoolDir);
  await start();
});
afterEach(async () => {
  await detach();
  for (const child of children) child.kill('SIGKILL');
  await ssh.close();
  for (const server of servers.splice(0)) server.close();
  rmSync(dir, { recursive: true });
});

describe('logging in', () => {
  it('is refused without one of the keys', async () => {
    const { code, stderr } = await run('ssh', sshArgs('stranger', 'root@127.0.0.1', 'true'));
    expect(code).toBe(255);
    expect(stderr).toContain('Permission denied (publickey)');
    expect(ssh.lastActivity()).toBeNull();
  });

  it('is refused to who knows a public key but has not its private one', async () => {
    const own = ssh2.utils.parseKey(readFileSync(join(keys, 'stranger')));
    const known = ssh2.utils.parseKey(publicKey('project'));
    if (own instanceof Error || known instanceof Error) throw new Error('bad test keys');
    class Forger extends ssh2.BaseAgent {
      getIdentities(done: (error: undefined, keys: ssh2.ParsedKey[]) => void): void {
        done(undefined, [known as ssh2.ParsedKey]);
      }
      sign(_: unknown, data: Buffer, ...rest: unknown[]): void {
        const done = rest.at(-1) as (error: undefined, signature: Buffer) => void;
        done(undefined, (own as ssh2.ParsedKey).sign(data));
      }
    }
    const client = new ssh2.Client();
    const failed = once(client, 'ready').catch((error: Error) => error.message);
    client.connect({
      ...{ host: '127.0.0.1', port: ssh.port, username: 'root' },
      agent: new Forger() as unknown as ssh2.BaseAgent,
    });
    expect(await failed).toContain('All configured authentication methods failed');
    client.end();
  });

  it('is given up when it takes too long, or when too many wait for it', async () => {
    await restart({ loginMs: 1 });
    const slow = connect(ssh.port, '127.0.0.1');
    await once(slow.resume(), 'close');
    await restart({});
    const waiting = Array.from({ length: 50 }, () => connect(ssh.port, '127.0.0.1'));
    for (const socket of waiting) await once(socket, 'data');
    const late = connect(ssh.port, '127.0.0.1');
    await once(late.resume(), 'close');
    for (const socket of waiting) socket.destroy();
  });

  it('ends after six keys that do not fit', async () => {
    const wrong: string[] = [];
    for (let i = 0; i < 7; i++) {
      await run('ssh-keygen', ['-q', '-N', '', '-t', 'ed25519', '-f', join(dir, `wrong${i}`)]);
      wrong.push('-i', join(dir, `wrong${i}`));
    }
    const [port, ...rest] = sshArgs('user', 'root@127.0.0.1', 'true');
    const late = await run('ssh', [...wrong, port!, ...rest]);
    expect(late.code).toBe(255);
    const early = await run('ssh', [...wrong.slice(0, 10), port!, ...rest]);
    expect(early.code).toBe(1);
  });

  it('works under any name, and says that there are no shells', async () => {
    for (const login of ['root', 'alice', 'ubuntu']) {
      const result = await run('ssh', sshArgs('user', `${login}@127.0.0.1`, 'echo hi'));
      expect(result).toMatchObject({ code: 1, stdout: '' });
      expect(result.stderr).toContain('no commands or shells');
    }
    const shell = await run('ssh', sshArgs('user', '-tt', 'root@127.0.0.1'));
    expect(shell.code).toBe(1);
  });

  it('counts as activity for users only', async () => {
    let now = 5000;
    await restart({ now: () => now });
    await attach('project', ['localhost:10999']);
    expect(ssh.lastActivity()).toBeNull();
    await detach();
    await attach('user', ['localhost:10999']);
    expect(ssh.lastActivity()).toBe(5000);
    now = 7000;
    expect(ssh.lastActivity()).toBe(7000);
    await detach();
  });
});

describe('forwards', () => {
  it('reach what the job can reach', async () => {
    const app = createServer((_, response) => response.end('hello from the app'));
    const port = await listen(app);
    const dialled: string[] = [];
    await restart({
      dial: (host, target) => {
        dialled.push(`${host}:${target}`);
        return dialTcp('127.0.0.1', port);
      },
    });
    const [local] = await attach('user', ['localhost:8000']);
    expect(await (await fetch(`http://127.0.0.1:${local}/`)).text()).toBe('hello from the app');
    expect(dialled).toEqual(['localhost:8000']);
  });

  it('carry large answers and both ends of a half-closed connection', async () => {
    const big = Buffer.alloc(20_000_000, 'x');
    const server = createTcpServer({ allowHalfOpen: true }, (socket) => {
      const parts: Buffer[] = [];
      socket.on('data', (data) => parts.push(data));
      socket.on('end', () => socket.end(Buffer.concat([big, ...parts])));
    });
    const port = await listen(server);
    const [local] = await attach('user', [`127.0.0.1:${port}`]);
    const socket = connect({ port: local!, host: '127.0.0.1', allowHalfOpen: true });
    socket.end('the question');
    let length = 0;
    let tail = '';
    for await (const data of socket) {
      length += data.length;
      tail = (tail + data.toString()).slice(-12);
    }
    expect([length, tail]).toEqual([big.length + 12, 'the question']);
  });

  it('let a client go on sending after the other side has finished', async () => {
    const received = Promise.withResolvers<string>();
    const server = createTcpServer({ allowHalfOpen: true }, async (socket) => {
      socket.end('bye');
      let text = '';
      for await (const data of socket) text += data;
      received.resolve(text);
    });
    const port = await listen(server);
    const [local] = await attach('user', [`127.0.0.1:${port}`]);
    const socket = connect({ port: local!, host: '127.0.0.1', allowHalfOpen: true });
    socket.resume();
    await once(socket, 'end');
    socket.end('still here');
    expect(await received.promise).toBe('still here');
  });

  it('end when the other side is not there, and leave the connection alone', async () => {
    const [closed, local] = [await freePort(), 0];
    const [first] = await attach('user', [`127.0.0.1:${closed}`]);
    const socket = connect({ port: first!, host: '127.0.0.1' });
    socket.resume();
    await once(socket, 'close');
    const check = ['-F', '/dev/null', '-S', control(), '-O', 'check', 'root@127.0.0.1'];
    expect((await run('ssh', check)).stderr).toContain('Master running');
    expect(local).toBe(0);
  });

  it('are not for the keys of the job itself', async () => {
    const port = await listen(createServer((_, response) => response.end('secret')));
    const [local, output] = await attach('job', [`127.0.0.1:${port}`, 'localhost:10999']);
    await expect(fetch(`http://127.0.0.1:${local}/`)).rejects.toThrow();
    await expect(readOutput(output).done).rejects.toThrow();
  });

  it('open one after the other over a shared connection', async () => {
    const port = await listen(createServer((_, response) => response.end('again')));
    await attach('user', ['localhost:10999']);
    const more = await freePort();
    const forward = ['-O', 'forward', '-L', `${more}:127.0.0.1:${port}`, 'root@127.0.0.1'];
    const { code } = await run('ssh', ['-F', '/dev/null', '-S', control(), ...forward]);
    expect(code).toBe(0);
    const answers = await Promise.all(
      Array.from({ length: 50 }, async () => (await fetch(`http://127.0.0.1:${more}/`)).text()),
    );
    expect(new Set(answers)).toEqual(new Set(['again']));
  });
});

describe('output on port 10999', () => {
  it('is replayed, goes on live, and ends with a close after everything', async () => {
    print('\x1b[1mone\x1b[0m\r\n');
    const [local] = await attach('user', ['localhost:10999']);
    const early = readOutput(local);
    await once(early.socket, 'message');
    print('two\r\n');
    const late = readOutput(local);
    await once(late.socket, 'message');
    print('unfinished');
    finish();
    const whole = { text: '\x1b[1mone\x1b[0m\r\ntwo\r\nunfinished', code: 1000 };
    expect(await early.done).toEqual(whole);
    expect(await late.done).toEqual(whole);
    expect(await readOutput(local).done).toEqual(whole);
  });

  it('begins at a time, to the second', async () => {
    print('a', T0);
    print('b', T0 + 1_900_000);
    print('c', T0 + 2_100_000);
    finish();
    const [local] = await attach('user', ['127.0.0.1:10999']);
    const from = (time: string) => readOutput(local, `?start_time=${time}`).done;
    const at = (micros: number) => encodeURIComponent(new Date(micros / 1000).toISOString());
    expect((await from(at(T0 + 1_950_000))).text).toBe('bc');
    expect((await from(at(T0 + 2_000_000))).text).toBe('c');
    expect((await from(at(T0 + 3_000_000))).text).toBe('');
    expect((await from('2023-11-14T23:13:21%2B01:00')).text).toBe('bc');
    expect((await from('2023-11-14T23:13:21+01:00')).text).toBe('bc');
    expect(await from('yesterday')).toEqual({ text: '', code: 1003 });
  });

  it('answers pings', async () => {
    const [local] = await attach('user', ['[::1]:10999']);
    const { socket, done } = readOutput(local);
    await once(socket, 'open');
    socket.ping();
    await once(socket, 'pong');
    socket.close();
    await done;
  });

  it('waits for a slow client without holding up the job or others', async () => {
    const [local] = await attach('user', ['localhost:10999']);
    const slow = readOutput(local);
    await once(slow.socket, 'open');
    slow.socket.pause();
    const line = `${'y'.repeat(999)}\n`;
    for (let i = 0; i < 20_000; i++) print(line);
    finish();
    expect((await readOutput(local).done).text.length).toBe(20_000_000);
    slow.socket.resume();
    expect(await slow.done).toEqual({ text: line.repeat(20_000), code: 1000 });
  });

  it('is nothing else', async () => {
    const [local] = await attach('user', ['localhost:10999']);
    expect((await fetch(`http://127.0.0.1:${local}/api/pull`)).status).toBe(404);
    const upgrade = request({
      ...{ port: local, path: '/other' },
      headers: { connection: 'upgrade', upgrade: 'websocket' },
    });
    upgrade.end();
    const [response] = await once(upgrade, 'response');
    expect(response.statusCode).toBe(404);
    response.resume();
  });

  it('is refused under a path that is none, and others are served on', async () => {
    const [local] = await attach('user', ['localhost:10999']);
    const upgrade = request({
      ...{ port: local, path: '//' },
      headers: { connection: 'upgrade', upgrade: 'websocket' },
    });
    upgrade.end();
    const [response] = await once(upgrade, 'response');
    expect(response.statusCode).toBe(404);
    response.resume();
    finish();
    expect((await readOutput(local).done).code).toBe(1000);
  });
});

describe('sessions', () => {
  it('go to the function that runs them', async () => {
    await restart({
      exec: async (request) => {
        const { kind, command, env, terminal, identity } = request;
        let input = '';
        for await (const data of request.channel) input += data;
        request.channel.write(JSON.stringify({ kind, command, env, terminal, identity, input }));
        request.channel.stderr.write('to stderr');
        request.exit(7);
      },
    });
    const args = sshArgs('job', '-o', 'SetEnv=LANG=C EVIL=1', 'bob@127.0.0.1', 'cat "a b"');
    const { code, stdout, stderr } = await run('ssh', args, 'text');
    expect([code, stderr]).toEqual([7, 'to stderr']);
    expect(JSON.parse(stdout)).toEqual({
      kind: 'exec',
      command: 'cat "a b"',
      env: { LANG: 'C' },
      terminal: null,
      identity: { owner: 'job', login: 'bob' },
      input: 'text',
    });
  });

  it('tell the client why they failed', async () => {
    await restart({
      exec: async () => {
        throw new Error('the job has ended');
      },
    });
    const result = await run('ssh', sshArgs('user', 'root@127.0.0.1', 'true'));
    expect(result).toMatchObject({ code: 1, stderr: 'the job has ended\r\n' });
  });

  it('are not for the keys of the project', async () => {
    const result = await run('ssh', sshArgs('project', 'root@127.0.0.1', 'true'));
    expect(result.code).toBe(255);
  });
});

it('listens on the port it had, or another one when that is taken', async () => {
  const had = ssh.port;
  await restart({ preferredPort: had });
  expect(ssh.port).toBe(had);
  const second = await startJobSsh({
    preferredPort: had,
    authorizedKeys: { user: [], project: [], job: [] },
    hostKeyPem,
    dial: dialTcp,
    logs,
  });
  expect(second.port).not.toBe(had);
  await second.close();
});

it('skips keys that it cannot check and says so', async () => {
  const unusable: string[] = [];
  await restart({
    authorizedKeys: {
      user: ['sk-ssh-ed25519@openssh.com AAAA', publicKey('user')],
      project: [],
      job: [],
    },
    onUnusableKey: (owner) => unusable.push(owner),
  });
  expect(unusable).toEqual(['user']);
  await attach('user', ['localhost:10999']);
});

it('shows the host key it was given', async () => {
  const { stdout } = await run('ssh-keyscan', ['-p', String(ssh.port), '127.0.0.1']);
  const key = ssh2.utils.parseKey(hostKeyPem);
  if (key instanceof Error) throw key;
  expect(stdout).toContain(key.getPublicSSH().toString('base64'));
});
