import { once } from 'node:events';
import { Duplex } from 'node:stream';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { joinChannel } from './forward.ts';
import { joinConnections } from './join-connections.ts';

/** A connection whose peer sends `sent` and ends, and takes bytes only after `accept`. */
class Connection extends Duplex {
  readonly taken: string[] = [];
  readonly #open = Promise.withResolvers<void>();
  readonly accept = this.#open.resolve;
  /** As ssh2's channels have it. */
  readonly eof = () => {};
  #sent: string[];

  constructor(...sent: string[]) {
    super();
    this.#sent = sent;
  }

  override _read(): void {
    this.push(this.#sent.shift() ?? null);
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    void this.#open.promise.then(() => {
      this.taken.push(chunk.toString());
      done();
    });
  }
}

afterEach(() => void vi.useRealTimers());

describe.each([
  { what: 'two connections', join: joinConnections },
  {
    what: 'a channel and its connection',
    join: (channel: Connection, connection: Connection) =>
      joinChannel(channel as never, connection),
  },
])('$what', ({ join }) => {
  it('pass on what is on its way when one has ended in both directions', async () => {
    const [one, other] = [new Connection('first', 'last'), new Connection('answer')];
    one.accept();
    join(one, other);
    await once(one, 'end');
    one.destroy();
    await once(one, 'close');
    await new Promise(setImmediate);
    expect(other.destroyed).toBe(false);
    other.accept();
    await once(other, 'close');
    expect(other.taken).toEqual(['first', 'last']);
  });

  it('end at once when one is lost', async () => {
    const [one, other] = [new Connection(), new Connection('answer')];
    one._read = () => {};
    join(one, other);
    one.destroy();
    await once(other, 'close');
    expect(other.destroyed).toBe(true);
  });

  it('end when one has ended and takes nothing any more, though the other still sends', async () => {
    const [one, other] = [new Connection('last'), new Connection()];
    other._read = () => {};
    other.accept();
    join(one, other);
    await once(one, 'end');
    one.destroy();
    await once(other, 'close');
    expect(other.taken).toEqual(['last']);
  });

  it('end after half a minute when one has ended and the peer of the other takes nothing', async () => {
    const [one, other] = [new Connection('first'), new Connection('answer')];
    one.accept();
    join(one, other);
    await once(one, 'end');
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    one.destroy();
    await once(one, 'close');
    vi.advanceTimersByTime(29_999);
    expect(other.destroyed).toBe(false);
    vi.advanceTimersByTime(1);
    expect(other.destroyed).toBe(true);
  });
});
