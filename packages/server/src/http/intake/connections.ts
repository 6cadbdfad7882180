/** What becomes of a connection on which the server has answered before the body was read. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';

/**
 * The client may still be sending and must find the answer: the rest of its body is thrown away for
 * so long (ms), then the connection ends. Some send everything before they look for an answer, which
 * may say that the upload is too large.
 */
const LINGER_MS = { stranger: 5000, known: 60_000 };

/** Bytes of a stranger that are thrown away. One with more is not read: it stops by itself. */
const MOST_THROWN_AWAY = 1024 * 1024;

/** Requests whose callers have been let in. */
const known = new WeakSet<IncomingMessage>();

/** Requests whose clients wait until they are told to send their body. */
const waiting = new WeakMap<IncomingMessage, ServerResponse>();

/** Services that are proxied have rules of their own about their bodies. */
const isPassedOn = (url: string | undefined) => url?.startsWith('/proxy/services/') === true;

export function boundConnections(app: FastifyInstance): void {
  app.server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    if (isPassedOn(request.url)) response.writeContinue();
    else waiting.set(request, response);
    app.server.emit('request', request, response);
  });
  app.addHook('onSend', async ({ raw }, reply) => {
    // Without having sent its body the client may not use the connection again.
    if (waiting.has(raw)) reply.header('connection', 'close');
  });
  app.addHook('onResponse', async ({ raw }) => {
    if (raw.complete === false && !isPassedOn(raw.url)) linger(raw);
  });
}

function linger(request: IncomingMessage): void {
  const isKnown = known.has(request);
  const isSmall = Number(request.headers['content-length']) <= MOST_THROWN_AWAY;
  // Not before Node has begun to throw it away, which is when the answer is out.
  if (!isKnown && !isSmall) setImmediate(() => request.socket.pause());
  const end = () => {
    if (!request.complete) request.socket.destroy();
  };
  setTimeout(end, isKnown ? LINGER_MS.known : LINGER_MS.stranger).unref();
}

/** The caller has been let in. */
export function welcome(request: IncomingMessage): void {
  known.add(request);
}

/** The body is wanted from now on. */
export function askForBody(request: IncomingMessage): void {
  waiting.get(request)?.writeContinue();
  waiting.delete(request);
}
