import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import { expect, it, vi } from 'vitest';
import { AgentClient, AgentUnreachable } from './agent-client.ts';

it('an answer that is not JSON is a failed command, not the end of the server', async () => {
  const agent = createServer((_, response) => response.end('{"half": ')).listen(0, '127.0.0.1');
  await once(agent, 'listening');
  const { port } = agent.address() as AddressInfo;
  const client = new AgentClient({ dial: () => connect(port, '127.0.0.1'), token: 't' });
  await expect(client.info()).rejects.toBeInstanceOf(AgentUnreachable);
  client.close();
  agent.close();
});

it('keeps one connection for the next command, however many were under way at once', async () => {
  const waiting: ServerResponse[] = [];
  const closed = Promise.withResolvers<void>();
  let open = 0;
  const agent = createServer((_, response) => {
    waiting.push(response);
    if (waiting.length < 4) return;
    for (const one of waiting.splice(0)) one.writeHead(204).end();
  }).listen(0, '127.0.0.1');
  agent.on('connection', (socket) => {
    open++;
    socket.on('close', () => {
      if (--open === 1) closed.resolve();
    });
  });
  await once(agent, 'listening');
  const { port } = agent.address() as AddressInfo;
  const client = new AgentClient({ dial: () => connect(port, '127.0.0.1'), token: 't' });
  await Promise.all(['a', 'b', 'c', 'd'].map((id) => client.deleteJob(id)));
  await closed.promise;
  client.close();
  agent.close();
});

it('a connection to a port fails if the agent does not answer in time', async () => {
  const asked = Promise.withResolvers<Socket>();
  const agent = createTcpServer((socket) => socket.once('data', () => asked.resolve(socket)));
  agent.listen(0, '127.0.0.1');
  await once(agent, 'listening');
  const { port } = agent.address() as AddressInfo;
  const client = new AgentClient({ dial: () => connect(port, '127.0.0.1'), token: 't' });
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const opened = client.openPort('job', 80).catch((error: unknown) => error);
    const socket = await asked.promise;
    vi.advanceTimersByTime(60_000);
    await once(socket.resume(), 'close');
    expect(await opened).toBeInstanceOf(AgentUnreachable);
  } finally {
    vi.useRealTimers();
    client.close();
    agent.close();
  }
});
