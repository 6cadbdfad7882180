/** Routers and engines for tests, which speak the real protocols. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { createServer as createHttp2Server, type Http2Server } from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { json } from 'node:stream/consumers';

export interface Listening {
  readonly port: number;
  close(): void;
}

export interface FakeRouter extends Listening {
  /** The workers that were registered, by id. */
  readonly workers: Map<string, Record<string, unknown>>;
  /** The next registrations are answered with this status and body. */
  refusal: { readonly status: number; readonly body: object } | null;
  /** Resolves once the router has been asked for something that makes this true. */
  until(isSo: () => boolean): Promise<void>;
}

/** A router of the kind `smg`: keeps workers by `/workers`. */
export async function fakeRouter(): Promise<FakeRouter> {
  const workers = new Map<string, Record<string, unknown>>();
  const waiting = new Set<() => void>();
  let ids = 0;
  const server = createServer(async (request, response) => {
    const answer = (status: number, body: object) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    };
    const id = decodeURIComponent(request.url?.replace(/^\/workers\/?/, '') ?? '');
    if (request.method === 'GET') {
      const list = [...workers].map(([id, worker]) => ({ id, ...worker }));
      answer(200, { workers: list, total: list.length });
    } else if (request.method === 'POST') {
      const worker = (await json(request)) as Record<string, unknown>;
      const isKnown = [...workers.values()].some(({ url }) => url === worker.url);
      if (router.refusal) answer(router.refusal.status, router.refusal.body);
      else if (isKnown) answer(409, { error: 'known', code: 'WORKER_ALREADY_EXISTS' });
      else {
        workers.set(`worker-${++ids}`, worker);
        answer(202, { status: 'accepted' });
      }
    } else if (workers.delete(id)) answer(202, { status: 'accepted' });
    else answer(404, { error: 'unknown', code: 'WORKER_NOT_FOUND' });
    for (const look of waiting) look();
  });
  const until = (isSo: () => boolean) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (!isSo()) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
  const router: FakeRouter = { ...(await listening(server)), workers, refusal: null, until };
  return router;
}

/** SGLang over HTTP; `info`: its answer to `/server_info`, at this path. */
export async function fakeSglang(info: object, path = '/server_info'): Promise<Listening> {
  const server = createServer((request, response) => {
    const answers: Readonly<Record<string, object>> = {
      '/v1/models': { data: [{ id: 'm', owned_by: 'sglang' }] },
      [path]: info,
    };
    const body = answers[request.url ?? ''];
    response.writeHead(body ? 200 : 404).end(JSON.stringify(body ?? {}));
  });
  return await listening(server);
}

/** A server of gRPC whose methods (`/package.Service/Method`) have these answers. */
export async function fakeGrpc(answers: Readonly<Record<string, Buffer>>): Promise<Listening> {
  const server = createHttp2Server();
  server.on('stream', (stream, headers) => {
    const answer = answers[headers[':path'] ?? ''];
    const type = { ':status': 200, 'content-type': 'application/grpc' };
    stream.on('error', () => stream.destroy());
    if (!answer) {
      stream.respond({ ...type, 'grpc-status': '12' }, { endStream: true });
      return;
    }
    stream.respond(type, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    const head = Buffer.alloc(5);
    head.writeUInt32BE(answer.length, 1);
    stream.end(Buffer.concat([head, answer]));
  });
  return await listening(server);
}

async function listening(server: Server | Http2Server): Promise<Listening> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, close: () => void server.close() };
}

export async function openLocal(port: number): Promise<Duplex> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}
