import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { ChannelSocket } from '@dstack/ssh';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { AgentClient, AgentRefusal, AgentUnreachable } from './agent-client.ts';
import { AGENT_INFO } from './testing/agent-info.ts';

let dir: string;
let server: Server;
let client: AgentClient;
let dials: number;
let dial: () => ChannelSocket;
let answer: (response: ServerResponse) => void;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'agent-client-'));
  answer = (response) => void response.end(JSON.stringify(AGENT_INFO));
  server = createServer({ keepAliveTimeout: 0 }, (request, response) => {
    request.resume().on('end', () => answer(response));
  });
  server.listen(join(dir, 'socket'));
  await once(server, 'listening');
  dials = 0;
  const open = async () => {
    const socket = connect(join(dir, 'socket'));
    await once(socket, 'connect');
    return Object.assign(socket as Socket & { close(): void }, { close: () => socket.destroy() });
  };
  dial = () => {
    dials += 1;
    return new ChannelSocket(open);
  };
  client = new AgentClient({ dial, token: 'secret' });
});
afterEach(async () => {
  client.close();
  server.closeAllConnections();
  server.close();
  rmSync(dir, { recursive: true });
});

it('uses a connection for one command after another, whatever the answers', async () => {
  await client.info();
  answer = (response) => void response.writeHead(204).end();
  await client.uploadCode('job', Readable.from([Buffer.alloc(300_000)]));
  answer = (response) => void response.writeHead(409).end('{"code":"busy","message":"no"}');
  await expect(client.info()).rejects.toThrow(AgentRefusal);
  answer = (response) => void response.writeHead(204).end();
  await client.deleteJob('job');
  expect(dials).toBe(1);
});

it('opens another one when the agent has ended it', async () => {
  await client.info();
  server.closeIdleConnections();
  await expect.poll(() => client.info().then(() => dials)).toBe(2);
});

it('gives up on an agent that does not answer in time, and tries it again', async () => {
  const hasty = new AgentClient({ dial, token: 'secret', timeoutMs: 100 });
  answer = () => {};
  await expect(hasty.info()).rejects.toThrow(AgentUnreachable);
  answer = (response) => void response.end(JSON.stringify(AGENT_INFO));
  await expect.poll(() => hasty.info().then(() => 'answered')).toBe('answered');
  hasty.close();
});

it('applies the time limit of a command to that command only', async () => {
  const onTimeout = () => {};
  const socket = new ChannelSocket(() => new Promise(() => {}));
  socket.setTimeout(200, onTimeout);
  socket.setTimeout(0, onTimeout);
  expect(socket.listenerCount('timeout')).toBe(0);
  socket.destroy();
});

it('refuses an answer that is too long or invalid', async () => {
  answer = (response) => void response.end(Buffer.alloc(2 ** 20 + 1, 32));
  await expect(client.info()).rejects.toThrow('the answer is over 1048576 bytes');
  answer = (response) => void response.end('{"version":');
  await expect(client.info()).rejects.toThrow(AgentUnreachable);
  answer = (response) => void response.end('{"state":null,"missing":{}}');
  await expect(client.putJob({ id: 'x' } as never)).rejects.toThrow('state is not an object');
  const body = '{"code":"x\\u001b[2J","message":"a\\nb"}';
  answer = (response) => void response.writeHead(404).end(body);
  await expect(client.info()).rejects.toMatchObject({ code: 'x [2J', message: 'a b' });
  answer = (response) => void response.writeHead(404).end('{"code":"x"}');
  await expect(client.info()).rejects.toMatchObject({ code: 'error', message: '{"code":"x"}' });
});
