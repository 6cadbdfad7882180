import { once } from 'node:events';
import { Duplex } from 'node:stream';
import { expect, it } from 'vitest';
import { type Channel, ChannelSocket } from './channel-socket.ts';

class TestChannel extends Duplex implements Channel {
  override _read(): void {}

  override _write(_chunk: Buffer, _encoding: string, done: () => void): void {
    done();
  }

  close(): void {}
}

it('a connection has all that arrived before its channel ended and closed, however late it is read', async () => {
  const channel = new TestChannel({ autoDestroy: false });
  const socket = new ChannelSocket(async () => channel);
  await once(socket, 'connect');
  channel.push('first, ');
  channel.push('last');
  channel.push(null);
  await once(channel, 'end');
  channel.destroy();
  await once(channel, 'close');
  let text = '';
  for await (const data of socket) text += data;
  expect(text).toBe('first, last');
});

it('a connection ends with an error when its channel closes without an end', async () => {
  const channel = new TestChannel();
  const socket = new ChannelSocket(async () => channel);
  await once(socket, 'connect');
  channel.push('first');
  channel.destroy();
  const read = async () => {
    for await (const data of socket) expect(String(data)).toBe('first');
  };
  await expect(read()).rejects.toThrow('Premature close');
});
