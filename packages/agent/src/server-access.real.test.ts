import { once } from 'node:events';
import { chmodSync, existsSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { SERVER_SOCKET, socketUrl } from '@dstack/contract/agent';
import { jobNode } from '@dstack/testkit/job-programs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AgentHarness, jobSpec, jobUser } from './testing/agent-harness.ts';
import { TestStream } from './testing/test-stream.ts';

let agent: AgentHarness;
let stream: TestStream;
beforeEach(async () => {
  agent = new AgentHarness();
  await agent.start();
  stream = await agent.connect();
});
afterEach(async () => {
  await stream.close();
  await agent.dispose();
});

const env = { DSTACK_SERVER_URL: socketUrl(SERVER_SOCKET) };

/** A job that prints the address of its server, and then waits. */
async function runningJob(more: Parameters<typeof jobSpec>[1] = {}): Promise<[string, string]> {
  const lines = ['echo "at=$DSTACK_SERVER_URL="', 'sleep 1000'];
  const spec = jobSpec(lines, { env, server_access: true, ...more });
  await agent.put(spec);
  const [, url = ''] = await stream.until(() => /at=(.*)=/.exec(stream.text(spec.id)));
  return [spec.id, decodeURIComponent(url.replace('http+unix://', ''))];
}

const announced = (from = stream) =>
  from.frames.flatMap((frame) => (frame.type === 'tunnel' ? [frame] : []));

/** The next connection that the agent announces. */
const nextTunnel = (count = 1, from = stream) => from.until(() => announced(from)[count - 1]);

/** Connects as a server does; resolves with the status of a refusal. */
function fetchTunnel(id: string, tunnel: string): Promise<Duplex | number> {
  return new Promise((resolve, reject) => {
    const outgoing = request({
      socketPath: agent.socket,
      path: `/v1/jobs/${id}/tunnels/${tunnel}`,
      headers: {
        ...{ authorization: `Bearer ${agent.token}`, connection: 'Upgrade', upgrade: 'tcp' },
      },
    });
    outgoing.on('error', reject);
    outgoing.on('response', (response) => resolve(response.resume().statusCode ?? 0));
    outgoing.on('upgrade', (_response, socket, head) => {
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    outgoing.end();
  });
}

async function connected(path: string): Promise<Socket> {
  const socket = connect(path);
  await once(socket, 'connect');
  return socket;
}

/** An error counts as an end: a killed agent resets its connections. */
function closed(socket: Socket): Promise<void> {
  socket.on('error', () => {});
  return new Promise((resolve) => void socket.resume().once('close', () => resolve()));
}

describe('a job that may reach the server', () => {
  it('has a socket of its own, whose connections the server fetches', async () => {
    const [id, path] = await runningJob();
    const server = createServer(({ url, method }, response) => response.end(`${method} ${url}`));
    const outgoing = request({ socketPath: path, path: '/api/x', method: 'POST' });
    outgoing.end('body');
    const { tunnel } = await nextTunnel();
    const fetched = await fetchTunnel(id, tunnel);
    if (typeof fetched === 'number') throw new Error(`refused with ${fetched}`);
    server.emit('connection', Duplex.from({ readable: fetched, writable: fetched }));
    const [response] = await once(outgoing, 'response');
    const [body] = await once(response, 'data');
    expect(String(body)).toBe('POST /api/x');
    outgoing.destroy();
    fetched.destroy();
  });

  it('hands each connection out once, and only its own', async () => {
    const [id, path] = await runningJob();
    const [other] = await runningJob();
    const socket = await connected(path);
    const { tunnel } = await nextTunnel();
    expect(await fetchTunnel(other, tunnel)).toBe(404);
    expect(await fetchTunnel(id, 'unknown')).toBe(404);
    const fetched = await fetchTunnel(id, tunnel);
    expect(typeof fetched).toBe('object');
    expect(await fetchTunnel(id, tunnel)).toBe(404);
    socket.destroy();
    await once(fetched as Duplex, 'close');
  });

  it('announces waiting connections to a server that connects later', async () => {
    const [id, path] = await runningJob();
    await stream.close();
    const socket = await connected(path);
    stream = await TestStream.open(agent.socket, agent.token, 'server-1', stream.logs);
    const { tunnel } = await nextTunnel();
    const fetched = (await fetchTunnel(id, tunnel)) as Duplex;
    fetched.write('hello');
    expect(String((await once(socket, 'data'))[0])).toBe('hello');
    socket.destroy();
  });

  it('has no more than 32 connections at a time', async () => {
    const [id, path] = await runningJob();
    const sockets = await Promise.all(Array.from({ length: 32 }, () => connected(path)));
    const late = connect(path);
    await once(late.resume(), 'close');
    const { tunnel } = await nextTunnel(32);
    const fetched = (await fetchTunnel(id, tunnel)) as Duplex;
    const end = once(fetched, 'close');
    fetched.destroy();
    await end;
    await vi.waitFor(async () => {
      sockets.push(await connected(path));
      expect(announced()).toHaveLength(33);
    });
    for (const socket of sockets) socket.destroy();
  });

  it('finds the socket again after the death of the agent, and none after its own end', async () => {
    const [id, path] = await runningJob();
    const before = await connected(path);
    const lost = closed(before);
    stream = await agent.restartAfterKill(stream);
    await lost;
    const after = await vi.waitFor(() => connected(path));
    await nextTunnel();
    const end = closed(after);
    await agent.stop(id, false);
    await end;
    await stream.whole(id);
    await vi.waitFor(() => expect(existsSync(path)).toBe(false));
  });

  it('keeps the URL that its configuration sets', async () => {
    const [, path] = await runningJob({ env: { DSTACK_SERVER_URL: 'https://dstack.example' } });
    expect(path).toBe('https://dstack.example');
  });
});

describe('a job that may not reach the server', () => {
  it('has no socket', async () => {
    const [, path] = await runningJob({ server_access: false });
    expect([path, existsSync(path)]).toEqual([SERVER_SOCKET, false]);
  });
});

if (process.getuid?.() === 0) {
  describe('a job of another user that may reach the server', () => {
    it('alone finds its socket open, after the death of the agent too', async () => {
      chmodSync(agent.dir, 0o755);
      const program = `require('net').connect(process.argv[1]).on('connect', () => console.log('in'))
        .on('error', (error) => console.log(error.code)).setTimeout(50, () => process.exit())`;
      const look = `${jobNode()} -e "${program.replaceAll('\n', ' ')}"`;
      const url =
        '"$(printf %b "$(echo "$DSTACK_SERVER_URL" | sed s,http+unix://,, | sed s/%/\\\\\\\\x/g)")"';
      const lines = [
        `echo "at=$DSTACK_SERVER_URL="`,
        `while :; do ${look} ${url}; sleep 0.1; done`,
      ];
      const user = jobUser({ username: 'nobody' });
      const spec = jobSpec(lines, { env, server_access: true, user });
      await agent.put(spec);
      await stream.until(() => /^in\r$/m.test(stream.text(spec.id)));
      stream = await agent.restartAfterKill(stream);
      const seen = stream.text(spec.id).length;
      await stream.until(() => /^in\r$/m.test(stream.text(spec.id).slice(seen)));
      await agent.stop(spec.id, false);
    });
  });
}
