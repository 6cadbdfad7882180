import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { AgentClient } from './agent-client.ts';
import { HostLink, type HostSink } from './host-link.ts';

let dir: string;
let server: Server;
let link: HostLink;
let newLink: (prepare: () => Promise<void>) => HostLink;
/** The reason of each loss of the link. */
let losses: string[];
const peers = new Set<Socket>();

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'host-link-'));
  server = createServer((peer) => peers.add(peer));
  await once(server.listen(join(dir, 'socket')), 'listening');
  losses = [];
  const lost = async (reason: string) => void losses.push(reason);
  newLink = (prepare) =>
    new HostLink({
      hostId: 'host',
      serverId: 'server',
      client: new AgentClient({ dial: () => connect(join(dir, 'socket')), token: 'secret' }),
      prepare,
      sink: { lost } as unknown as HostSink,
      log: pino({ level: 'silent' }),
      pingMs: 20,
    });
  link = newLink(async () => {});
});
afterEach(async () => {
  await link.close();
  for (const peer of peers) peer.destroy();
  peers.clear();
  server.close();
  rmSync(dir, { recursive: true });
});

it('gives up an agent that accepts the connection and then sends nothing, and tries again', async () => {
  link.start();
  await expect.poll(() => losses.length).toBeGreaterThan(1);
  expect(losses[0]).toBe('the agent does not answer any more');
});

it('connects at once when the obstacle has passed, however long it has failed', async () => {
  let isRefused = true;
  let attempts = 0;
  await link.close();
  link = newLink(async () => {
    attempts++;
    if (isRefused) throw new Error('another host key');
  });
  link.start();
  // The pauses have become longer than this test waits.
  while (attempts < 7) {
    link.retryNow();
    await expect.poll(() => losses.length).toBe(attempts);
  }
  await new Promise(setImmediate);
  isRefused = false;
  const connected = once(server, 'connection');
  link.retryNow();
  link.retryNow();
  await connected;
  expect(attempts).toBe(8);
});
