import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { expect, it } from 'vitest';
import { drained } from './drained.ts';

const client = (destroyed = false) =>
  Object.assign(new EventEmitter(), { destroyed }) as unknown as ServerResponse & EventEmitter;

it.each(['drain', 'close'])(
  'a wait for a slow client ends with %s and leaves no listener',
  async (event) => {
    const slow = client();
    for (let n = 0; n < 20; n++) {
      const waiting = drained(slow);
      slow.emit(event);
      await waiting;
    }
    expect(slow.eventNames().map((name) => [name, slow.listenerCount(name)])).toEqual([]);
  },
);

it('a client that has disconnected before is not waited for', async () => {
  await drained(client(true));
});
