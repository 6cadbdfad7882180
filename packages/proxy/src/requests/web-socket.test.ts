import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { type JoinedSocket, joinSockets } from './web-socket.ts';

const opened: { destroy(): void }[] = [];
afterEach(() => {
  for (const one of opened.splice(0)) one.destroy();
});

/** Both ends of a connection. */
async function pair(): Promise<[Socket, Socket]> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const near = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [far] = (await once(server, 'connection')) as [Socket];
  server.close();
  // The other end may reset the connection when it destroys it with unread data.
  near.on('error', () => {});
  opened.push(near, far);
  return [near, far];
}

const NOTHING: Buffer = Buffer.alloc(0);

interface Joined {
  readonly client: Socket;
  readonly app: Socket;
  readonly joined: JoinedSocket;
  /** The bytes that the client has received so far. */
  got(): Buffer;
}

async function join(clientHead = NOTHING, appHead = NOTHING): Promise<Joined> {
  const [client, ours] = await pair();
  const [app, theirs] = await pair();
  const parts: Buffer[] = [];
  client.on('data', (part: Buffer) => parts.push(part));
  const joined = joinSockets({ stream: ours, head: clientHead }, { stream: theirs, head: appHead });
  return { client, app, joined, got: () => Buffer.concat(parts) };
}

/** A frame of an app: not masked. */
function frame(content: Buffer): Buffer {
  const { length } = content;
  if (length < 126) return Buffer.concat([Buffer.from([0x82, length]), content]);
  if (length < 65_536) {
    return Buffer.concat([Buffer.from([0x82, 126, length >> 8, length & 0xff]), content]);
  }
  const head = Buffer.alloc(10);
  head.set([0x82, 127]);
  head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, content]);
}

const GOING = Buffer.from([0x88, 2, 0x03, 0xe9]);

describe('a joined WebSocket', () => {
  it('passes on everything, starting with the bytes after the handshake', async () => {
    const { client, app, got } = await join(Buffer.from('early'), frame(Buffer.from('hello')));
    const [early] = (await once(app, 'data')) as [Buffer];
    expect(String(early)).toBe('early');
    app.end(frame(Buffer.alloc(70_000, 1)));
    await once(client, 'end');
    const wanted = [frame(Buffer.from('hello')), frame(Buffer.alloc(70_000, 1))];
    expect(got()).toEqual(Buffer.concat(wanted));
  });

  it('ends when both ends are closed', async () => {
    const { client, app, joined } = await join();
    app.resume();
    client.end();
    await once(app, 'end');
    app.end();
    await joined.over;
  });

  it('is cut off at the other end if one is', async () => {
    const { client, app, joined } = await join();
    app.resetAndDestroy();
    client.on('error', () => {});
    await once(client, 'close');
    await joined.over;
  });

  it('ends between two frames, wherever the bytes are cut', async () => {
    const contents = fc.array(fc.constantFrom(0, 1, 125, 126, 200, 65_535, 65_536), {
      ...{ minLength: 1, maxLength: 4 },
    });
    const cuts = fc.array(fc.nat({ max: 200_000 }), { maxLength: 6 });
    const check = async (lengths: readonly number[], at: readonly number[], endAt: number) => {
      const frames = lengths.map((length, i) => frame(Buffer.alloc(length, i)));
      const bytes = Buffer.concat(frames);
      const places = [...at, endAt].map((place) => place % (bytes.length + 1));
      const { client, app, joined, got } = await join();
      app.resume();
      const stopAt = places.at(-1) ?? 0;
      let from = 0;
      for (const place of [...places, bytes.length].toSorted((a, b) => a - b)) {
        app.write(bytes.subarray(from, place));
        from = place;
        if (place !== stopAt) continue;
        // The bytes sent before the end are passed on before it.
        while (got().length < place) await once(client, 'data');
        joined.end(1001);
      }
      await once(client, 'end');
      client.end();
      app.end();
      await joined.over;
      const ends = frames.map((_frame, i) => Buffer.concat(frames.slice(0, i + 1)).length);
      const boundary = [0, ...ends].find((end) => end >= stopAt) ?? 0;
      expect(got()).toEqual(Buffer.concat([bytes.subarray(0, boundary), GOING]));
    };
    await fc.assert(fc.asyncProperty(contents, cuts, fc.nat({ max: 200_000 }), check), {
      ...{ numRuns: 100, interruptAfterTimeLimit: 3000 },
    });
  });

  it('ends in the middle of a frame that does not continue', async () => {
    const { client, app, joined, got } = await join();
    app.resume();
    app.write(frame(Buffer.alloc(100)).subarray(0, 50));
    while (got().length < 50) await once(client, 'data');
    joined.end(1001);
    await joined.over;
    expect(got()).toHaveLength(50);
  });

  it('reports the reason to real clients', async () => {
    const sockets = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(sockets, 'listening');
    const joins: JoinedSocket[] = [];
    const between = createServer((ours) => {
      const theirs = connect((sockets.address() as AddressInfo).port, '127.0.0.1');
      theirs.once('connect', () => {
        ours.once('data', (request) => {
          theirs.write(request);
          theirs.once('data', (answer: Buffer) => {
            const end = answer.indexOf('\r\n\r\n') + 4;
            ours.write(answer.subarray(0, end));
            const app = { stream: theirs, head: answer.subarray(end) };
            joins.push(joinSockets({ stream: ours, head: NOTHING }, app));
          });
        });
      });
    }).listen(0, '127.0.0.1');
    await once(between, 'listening');
    const client = new WebSocket(`ws://127.0.0.1:${(between.address() as AddressInfo).port}`);
    const [app] = (await once(sockets, 'connection')) as [WebSocket];
    await once(client, 'open');
    const seen = Promise.all([once(client, 'close'), once(app, 'close')]);
    for (const joined of joins) joined.end(1008);
    expect((await seen).map(([code]) => code)).toEqual([1008, 1008]);
    await joins[0]?.over;
    sockets.close();
    between.close();
  });
});
