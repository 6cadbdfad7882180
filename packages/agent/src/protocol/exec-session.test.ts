import { EventEmitter, once } from 'node:events';
import { Writable } from 'node:stream';
import { EXEC_CHANNELS } from '@dstack/contract/agent';
import { expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import type { SessionHost } from '../executor/session-host.ts';
import { serveExec } from './exec-session.ts';

class FakeSocket extends EventEmitter {
  isPaused = false;
  pause() {
    this.isPaused = true;
  }
  resume() {
    this.isPaused = false;
  }
  send(_data: unknown, done: () => void) {
    done();
  }
  close() {
    this.emit('closing');
    this.emit('close');
  }
}

it('reads the end of the connection after a command that left input unread', async () => {
  const running = Promise.withResolvers<void>();
  const ending = Promise.withResolvers<number>();
  const stdin = new Writable({ highWaterMark: 1, write: () => {} });
  const run = () => {
    running.resolve();
    return ending.promise;
  };
  const process = { stdin, run };
  const host = { has: async () => true, start: async () => process } as unknown as SessionHost;
  const account = { username: null, uid: 0, gid: 0, home: '/', shell: '/bin/sh' };
  const job = {
    sessionHost: () => ({ host, account }),
    sessions: { begin: () => () => {} },
  } as unknown as Parameters<typeof serveExec>[0];
  const socket = new FakeSocket();
  serveExec(job, socket as unknown as WebSocket);
  socket.emit('message', JSON.stringify({ type: 'start', argv: ['true'] }), false);
  await running.promise;
  socket.emit('message', Buffer.of(EXEC_CHANNELS.stdin, 1, 2, 3), true);
  socket.emit('message', JSON.stringify({ type: 'eof' }), false);
  expect(socket.isPaused).toBe(true);
  const closing = once(socket, 'closing');
  ending.resolve(0);
  await closing;
  expect(socket.isPaused).toBe(false);
});
