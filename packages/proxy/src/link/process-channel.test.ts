import { EventEmitter } from 'node:events';
import { Socket } from 'node:net';
import { expect, it } from 'vitest';
import { type OtherProcess, ProcessChannel } from './process-channel.ts';
import { isServerAway, ServerLink } from './server-link.ts';
import { ChannelClosed, type Handlers, WithSocket } from './worker-channel.ts';

/** Two processes, each as the other one sees it. */
function pair(handlers: Handlers) {
  const [a, b] = [new EventEmitter(), new EventEmitter()];
  const end = { connected: true };
  const seenFrom = (own: EventEmitter, other: EventEmitter) => ({
    get connected() {
      return end.connected;
    },
    on: own.on.bind(own),
    once: own.once.bind(own),
    send: (frame: object, socket?: Socket) =>
      setImmediate(() => other.emit('message', frame, socket)),
    disconnect() {
      end.connected = false;
      for (const one of [own, other]) one.emit('disconnect');
    },
  });
  const here = new ProcessChannel(seenFrom(a, b) as unknown as OtherProcess, {});
  const there = new ProcessChannel(seenFrom(b, a) as unknown as OtherProcess, handlers);
  return { here, there };
}

it('passes a connection on with an answer', async () => {
  const passed = new Socket();
  const { here } = pair({ port: ({ port }) => new WithSocket({ head: String(port) }, passed) });
  expect(await here.ask('port', { port: 80 })).toEqual({ head: '80', socket: passed });
});

it('ends a connection that no process can take any more', async () => {
  const passed = new Socket();
  const opened = Promise.withResolvers<WithSocket>();
  const { here, there } = pair({ port: () => opened.promise });
  const asked = here.ask('port', {});
  here.close();
  await expect(asked).rejects.toThrow(ChannelClosed);
  opened.resolve(new WithSocket({}, passed));
  await there.closed;
  await expect.poll(() => passed.destroyed).toBe(true);
});

it('ends a connection that comes after the limit of its question', async () => {
  const passed = new Socket();
  const opened = Promise.withResolvers<WithSocket>();
  const { here } = pair({ port: () => opened.promise });
  const link = new ServerLink(1);
  link.use(here);
  await expect(link.ask('port', {})).rejects.toSatisfy(isServerAway);
  opened.resolve(new WithSocket({}, passed));
  await expect.poll(() => passed.destroyed).toBe(true);
});
