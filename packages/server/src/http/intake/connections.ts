/** Handles connections on which the server has responded before the whole body was read. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { awaitBody, isBodyAwaited } from '@dstack/proxy';
import type { FastifyInstance } from 'fastify';
import { knowConnection } from './open-connections.ts';

/**
 * How long the rest of the body is read and discarded (ms) before the connection is closed. Some
 * clients send the whole body before they read the response, which may be a refusal of its size.
 */
const LINGER_MS = { stranger: 5000, known: 60_000 };

/** Bytes that are discarded for unauthenticated callers; a larger body is not read at all. */
const MOST_DISCARDED = 1024 * 1024;

/** Requests of authenticated callers. */
const known = new WeakSet<IncomingMessage>();

/** Bodies of requests to services are forwarded, with separate rules. */
const isPassedOn = (url: string | undefined) => /^\/proxy\/(services|hosts)\//.test(url ?? '');

export function boundConnections(app: FastifyInstance): void {
  app.server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    if (isPassedOn(request.url)) response.writeContinue();
    else awaitBody(request, response);
    app.server.emit('request', request, response);
  });
  app.addHook('onSend', async ({ raw }, reply) => {
    // The client has not sent its body, so the connection cannot be reused.
    if (isBodyAwaited(raw)) reply.header('connection', 'close');
    else if (!isPassedOn(raw.url) && !raw.complete && !isDiscarded(raw)) {
      reply.header('connection', 'close');
      closeSoftly(raw.socket);
    }
  });
  app.addHook('onResponse', async ({ raw }) => {
    if (raw.complete === false && !isPassedOn(raw.url)) linger(raw);
  });
}

/** Whether the rest of the body is read, so that the next request on the connection can be. */
function isDiscarded(request: IncomingMessage): boolean {
  if (known.has(request)) return true;
  const { 'transfer-encoding': chunked, 'content-length': length } = request.headers;
  return chunked === undefined && Number(length ?? 0) <= MOST_DISCARDED;
}

/**
 * Node destroys a connection after its last response. The system then resets it if bytes of the client
 * are unread, and the client may lose the response. So the response ends with a FIN only.
 */
export function closeSoftly(socket: Socket): void {
  socket.destroySoon = () => {
    socket.end();
    setTimeout(() => socket.destroy(), LINGER_MS.stranger).unref();
  };
}

function linger(request: IncomingMessage): void {
  const isKnown = known.has(request);
  if (isDiscarded(request)) discardRest(request, isKnown ? LINGER_MS.known : LINGER_MS.stranger);
  // Node begins to read the rest only after the response has been sent.
  else setImmediate(() => request.socket.pause());
}

/** Reads the rest of a body, so that the next request on its connection can be read, for a limited time. */
export function discardRest(request: IncomingMessage, ms = LINGER_MS.known): void {
  request.resume();
  const end = () => {
    if (!request.complete) request.socket.destroy();
  };
  setTimeout(end, ms).unref();
}

/** Records that the caller is authenticated. */
export function welcome(request: IncomingMessage): void {
  known.add(request);
  knowConnection(request.socket);
}
