/** Sends the answers of the API. */
import { pipeline, Readable } from 'node:stream';
import { promisify } from 'node:util';
import { createGzip, gzip } from 'node:zlib';
import type { FastifyReply } from 'fastify';
import { acceptsEncoding } from './accepted-encoding.ts';

/** Bytes above which a response is sent in pieces instead of as one buffer. */
const LARGE = 1024 * 1024;
/** Bytes from which on compression is worth the time: smaller answers fit into a few packets. */
const COMPRESSED = 8 * 1024;
/** JSON of records shrinks to a twentieth even so, in a third of the time of the usual level. */
const LEVEL = 3;

const gzipped = promisify(gzip);

/** `accepted`: the header `Accept-Encoding` of the request. */
export async function sendJsonPieces(
  reply: FastifyReply,
  pieces: readonly Buffer[],
  accepted: string | undefined,
): Promise<FastifyReply> {
  reply.code(200).header('content-type', 'application/json');
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const isLarge = length >= LARGE;
  if (length >= COMPRESSED) {
    reply.header('vary', 'accept-encoding');
    if (acceptsEncoding(accepted ?? '', 'gzip')) {
      reply.header('content-encoding', 'gzip');
      if (!isLarge) return reply.send(await gzipped(Buffer.concat(pieces), { level: LEVEL }));
      // An error ends the connection, which the client notices.
      const zipped = pipeline(Readable.from(pieces), createGzip({ level: LEVEL }), () => {});
      return reply.send(zipped);
    }
  }
  if (!isLarge) return reply.send(Buffer.concat(pieces, length));
  return reply.header('content-length', length).send(Readable.from(pieces));
}
