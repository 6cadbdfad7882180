import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import { expect, it } from 'vitest';
import { listenerFd } from './listener-fd.ts';

it('finds the descriptor of the socket that a server listens on, and no other', async () => {
  const server = createServer();
  expect(() => listenerFd(server)).toThrow(/this version of Node/);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  expect(readlinkSync(`/proc/self/fd/${listenerFd(server)}`)).toMatch(/^socket:/);
  server.close();
});
