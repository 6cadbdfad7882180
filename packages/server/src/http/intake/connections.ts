/** Handles connections on which the server has responded before the whole body was read. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';

/**
 * How long the rest of the body is read and discarded (ms) before the connection is closed. Some
 * clients send the whole body before they read the response, which may be a refusal of its size.
 */
const LINGER_MS = { stranger: 5000, known: 60_000 };

/** Bytes that are discarded for unauthenticated callers; a larger body is not read at all. */
const MOST_DISCARDED = 1024 * 1024;

/** Requests of authenticated callers. */
const known = new WeakSet<IncomingMessage>();

/** Requests with `Expect: 100-continue` whose clients have not sent their body yet. */
const waiting = new WeakMap<IncomingMessage, ServerResponse>();

/** Bodies of requests to services are forwarded, with separate rules. */
const isPassedOn = (url: string | undefined) => /^\/proxy\/(services|hosts)\//.test(url ?? '');

export function boundConnections(app: FastifyInstance): void {
  app.server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    if (isPassedOn(request.url)) response.writeContinue();
    else waiting.set(request, response);
    app.server.emit('request', request, response);
  });
  app.addHook('onSend', async ({ raw }, reply) => {
    // The client has not sent its body, so the connection cannot be reused.
    if (waiting.has(raw)) reply.header('connection', 'close');
  });
  app.addHook('onResponse', async ({ raw }) => {
    if (raw.complete === false && !isPassedOn(raw.url)) linger(raw);
  });
}

function linger(request: IncomingMessage): void {
  const isKnown = known.has(request);
  const isSmall = Number(request.headers['content-length']) <= MOST_DISCARDED;
  // Node begins to read the rest only after the response has been sent.
  if (!isKnown && !isSmall) setImmediate(() => request.socket.pause());
  const end = () => {
    if (!request.complete) request.socket.destroy();
  };
  setTimeout(end, isKnown ? LINGER_MS.known : LINGER_MS.stranger).unref();
}

/** Records that the caller is authenticated. */
export function welcome(request: IncomingMessage): void {
  known.add(request);
}

/** Requests the body from a client that waits for `100 Continue`. */
export function askForBody(request: IncomingMessage): void {
  waiting.get(request)?.writeContinue();
  waiting.delete(request);
}
