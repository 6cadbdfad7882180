import type { Writable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** Starts the stream; later errors can only end it. */
export function openStream(request: FastifyRequest, reply: FastifyReply): Writable {
  reply.hijack();
  reply.raw.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-cache',
    // nginx must not buffer the stream.
    'x-accel-buffering': 'no',
  });
  reply.raw.flushHeaders();
  request.raw.socket.setNoDelay(true);
  return reply.raw;
}
