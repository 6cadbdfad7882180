import { EventEmitter, once } from 'node:events';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import { ChannelStream } from './channel-socket.ts';

const [DATA, ERROR] = [0, 1];
const [NORMAL, LOST] = [1000, 1006];

class TestSocket extends EventEmitter {
  pause(): void {}
  resume(): void {}
  terminate(): void {}
}

function opened() {
  const socket = new TestSocket();
  const options = { data: DATA, error: ERROR, skip: 2, what: 'port-forward' };
  const stream = new ChannelStream({ ...options, socket: socket as unknown as WebSocket });
  const send = (bytes: string) => socket.emit('message', Buffer.from(`\0${bytes}`));
  send('..');
  return { socket, stream, send };
}

it('a channel has all that arrived before its WebSocket was closed, however late it is read', async () => {
  const { socket, stream, send } = opened();
  send('first, ');
  send('last');
  socket.emit('close', NORMAL);
  expect(await text(stream)).toBe('first, last');
  if (!stream.closed) await once(stream, 'close');
  expect(stream.destroyed).toBe(true);
});

it('a channel fails when its WebSocket is lost', async () => {
  const { socket, stream, send } = opened();
  send('first');
  socket.emit('close', LOST);
  await expect(text(stream)).rejects.toThrow('port-forward: the connection was lost');
});
