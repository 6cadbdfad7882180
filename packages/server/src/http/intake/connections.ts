/** What becomes of a connection on which the server has answered before the body was read. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';

/**
 * The client may still be sending and must find the answer: the rest of its body is thrown away for
 * so long (ms), then the connection ends.
 */
const LINGER_MS = 5000;

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
    if (raw.complete !== false || isPassedOn(raw.url)) return;
    setTimeout(() => {
      if (!raw.complete) raw.socket.destroy();
    }, LINGER_MS).unref();
  });
}

/** The body is wanted from now on. */
export function askForBody(request: IncomingMessage): void {
  waiting.get(request)?.writeContinue();
  waiting.delete(request);
}
