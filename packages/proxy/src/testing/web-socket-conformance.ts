/** A WebSocket passes through a proxy unchanged, in both directions: a short form of the suite in `bench/conformance`. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';

/** A service whose app is the one of these tests. */
export interface WebSocketWorld {
  /** Its URL (`ws:`), without a slash at its end. */
  readonly url: string;
  /** Headers of each request. */
  readonly headers: Readonly<Record<string, string>>;
  readonly close: () => Promise<void>;
}

/** `app`: does not listen yet. */
export type OpenWebSocketWorld = (app: Server) => Promise<WebSocketWorld>;

const BIG = 8 * 1024 * 1024;

interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** Returns what it receives, and does what the path states. */
function echoApp(onClosed: (path: string, closed: Closed) => void): Server {
  const app = createServer();
  const sockets = new WebSocketServer({
    ...{ noServer: true, perMessageDeflate: true, maxPayload: 2 * BIG },
    handleProtocols: (offered) => (offered.has('second') ? 'second' : false),
  });
  app.on('upgrade', (request, socket, head) => {
    const path = request.url ?? '';
    if (path === '/refuse') {
      socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 7\r\nX-Why: age\r\n\r\nnot you');
      return;
    }
    sockets.handleUpgrade(request, socket, head, (client) => {
      client.on('error', () => {});
      client.on('close', (code, reason) => onClosed(path, { code, reason: reason.toString() }));
      if (path === '/greet') client.send('welcome');
      if (path === '/ping') client.ping('are you there');
      if (path === '/fragments') {
        client.send('one ', { fin: false });
        client.send('two ', { fin: false });
        client.send('three', { fin: true });
      }
      client.on('pong', (data) => client.send(`pong ${data}`));
      client.on('message', (data, binary) => {
        if (path === '/close') client.close(4321, 'enough');
        else if (path === '/break') socket.destroy();
        else client.send(data, { binary });
      });
    });
  });
  return app;
}

export function webSocketConformance(name: string, open: OpenWebSocketWorld): void {
  describe(`a WebSocket through ${name}`, () => {
    /** How the app has seen each connection end, by its path. */
    const ends = new Map<string, PromiseWithResolvers<Closed>>();
    const endOf = (path: string) => {
      const end = ends.get(path) ?? Promise.withResolvers<Closed>();
      ends.set(path, end);
      return end;
    };
    const app = echoApp((path, closed) => endOf(path).resolve(closed));
    const opened: WebSocket[] = [];
    let world: WebSocketWorld;
    beforeAll(async () => {
      world = await open(app);
    });
    afterAll(async () => {
      for (const socket of opened) socket.terminate();
      await world?.close();
      app.closeAllConnections();
      app.close();
    });

    function connect(path: string, protocols: readonly string[] = []): WebSocket {
      const { url, headers } = world;
      const socket = new WebSocket(`${url}${path}`, [...protocols], {
        ...{ headers, maxPayload: 2 * BIG },
      });
      socket.on('error', () => {});
      opened.push(socket);
      return socket;
    }
    async function connected(path: string): Promise<WebSocket> {
      const socket = connect(path);
      await once(socket, 'open');
      return socket;
    }
    /** The next messages, each as it was received. */
    async function messages(socket: WebSocket, count: number): Promise<(string | Buffer)[]> {
      const got: (string | Buffer)[] = [];
      const all = Promise.withResolvers<void>();
      const take = (data: Buffer, binary: boolean) => {
        got.push(binary ? data : data.toString());
        if (got.length === count) all.resolve();
      };
      socket.on('message', take);
      await all.promise;
      socket.off('message', take);
      return got;
    }
    async function closed(socket: WebSocket): Promise<Closed> {
      const [code, reason] = await once(socket, 'close');
      return { code, reason: reason.toString() };
    }
    /** The TCP connection under it. */
    const under = (socket: WebSocket) =>
      (socket as never as { _socket: import('node:net').Socket })._socket;

    it('keeps texts, bytes and empty messages apart and in order', async () => {
      const socket = await connected('/kinds');
      const answers = messages(socket, 4);
      for (const data of ['κόσμε', Buffer.from([0, 255, 13, 10]), '', Buffer.alloc(0)])
        socket.send(data);
      expect(await answers).toEqual(['κόσμε', Buffer.from([0, 255, 13, 10]), '', Buffer.alloc(0)]);
    });

    it('carries messages in fragments, with a ping between them, both ways', async () => {
      const socket = await connected('/between');
      const [answers, pong] = [messages(socket, 1), once(socket, 'pong')];
      socket.send('a', { fin: false });
      socket.ping('x');
      socket.send('b', { fin: false });
      socket.send('c', { fin: true });
      expect(await answers).toEqual(['abc']);
      expect(String((await pong)[0])).toBe('x');
      expect(await messages(connect('/fragments'), 1)).toEqual(['one two three']);
    });

    it('carries a message of 8 MiB', async () => {
      const socket = await connected('/big');
      const data = Buffer.alloc(BIG, 'dstack');
      const answers = messages(socket, 1);
      socket.send(data, { compress: false });
      expect(data.equals((await answers)[0] as Buffer)).toBe(true);
    });

    it('carries many small messages in order', async () => {
      const socket = await connected('/many');
      const sent = Array.from({ length: 2000 }, (_, n) => `message ${n}`);
      const answers = messages(socket, sent.length);
      for (const one of sent) socket.send(one);
      expect(await answers).toEqual(sent);
    });

    it('carries what the app sends with its first packet', async () => {
      expect(await messages(connect('/greet'), 1)).toEqual(['welcome']);
    });

    it('carries pings of the app and their answers', async () => {
      expect(await messages(connect('/ping'), 1)).toEqual(['pong are you there']);
    });

    it('passes on which protocol and which compression both ends have agreed upon', async () => {
      const socket = connect('/agree', ['first', 'second']);
      await once(socket, 'open');
      expect(socket.protocol).toBe('second');
      expect(socket.extensions).toContain('permessage-deflate');
    });

    it('passes on the code and the reason with which a client closes', async () => {
      const socket = await connected('/client-closes');
      socket.close(4001, 'done');
      expect(await closed(socket)).toMatchObject({ code: 4001 });
      expect(await endOf('/client-closes').promise).toEqual({ code: 4001, reason: 'done' });
    });

    it('passes on the code and the reason with which an app closes', async () => {
      const socket = await connected('/close');
      socket.send('please');
      expect(await closed(socket)).toEqual({ code: 4321, reason: 'enough' });
    });

    it('ends without a code for a client whose app breaks the connection', async () => {
      const socket = await connected('/break');
      socket.send('please');
      expect(await closed(socket)).toMatchObject({ code: 1006 });
    });

    it.each([
      ['breaks the connection', (socket: WebSocket) => socket.terminate()],
      ['ends its half of the connection', (socket: WebSocket) => under(socket).end()],
    ])('ends without a code for an app whose client %s', async (does, end) => {
      const path = `/${does.replaceAll(' ', '-')}`;
      const socket = await connected(path);
      const answers = messages(socket, 1);
      socket.send('first');
      expect(await answers).toEqual(['first']);
      end(socket);
      expect(await endOf(path).promise).toMatchObject({ code: 1006 });
    });

    it('leaves it to the app to refuse frames that break the protocol', async () => {
      const socket = await connected('/wrong');
      // A text with a reserved bit that was not agreed upon.
      under(socket).write(Buffer.from([0xa1, 0x80, 0, 0, 0, 0]));
      expect(await closed(socket)).toMatchObject({ code: 1002 });
    });

    it('passes on the answer of an app that refuses', async () => {
      const socket = connect('/refuse');
      const [, answer] = await once(socket, 'unexpected-response');
      expect(answer.statusCode).toBe(403);
      expect(answer.headers['x-why']).toBe('age');
      expect(await text(answer)).toBe('not you');
    });
  });
}
