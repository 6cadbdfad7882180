import type { ServerHttp2Stream } from 'node:http2';
import type { ProxyRefusal } from '../../refusals/refusal.ts';

export const GRPC_TYPE = 'application/grpc';

const UNKNOWN = 2;
const UNAVAILABLE = 14;

/** Clients of gRPC read no HTTP status. */
const OF_HTTP: Readonly<Record<number, number>> = {
  400: 3,
  401: 16,
  403: 7,
  404: 5,
  413: 8,
  415: 12,
  421: 9,
  429: 8,
  500: 13,
  502: UNAVAILABLE,
  503: UNAVAILABLE,
  504: 4,
};

/** For figures and logs, which have the status of HTTP. */
const TO_HTTP: Readonly<Record<number, number>> = {
  0: 200,
  1: 499,
  2: 500,
  3: 400,
  4: 504,
  5: 404,
  6: 409,
  7: 403,
  8: 429,
  9: 400,
  10: 409,
  11: 400,
  12: 501,
  13: 500,
  14: 503,
  15: 500,
  16: 401,
};

/** `given`: the trailer `grpc-status`. */
export function httpStatusOf(given: unknown): number {
  const status = typeof given === 'string' && /^\d{1,2}$/.test(given) ? Number(given) : UNKNOWN;
  return TO_HTTP[status] ?? 500;
}

/** Ends a call that has no answer yet. */
export function refuseCall(stream: ServerHttp2Stream, { status, message }: ProxyRefusal): void {
  stream.respond(
    {
      ':status': 200,
      'content-type': GRPC_TYPE,
      'grpc-status': String(OF_HTTP[status] ?? UNKNOWN),
      'grpc-message': encoded(message),
    },
    { endStream: true },
  );
  // The rest of the request is not read.
  stream.resume();
}

/** In UTF-8, with percent signs for all but printable ASCII, as the protocol of gRPC demands. */
function encoded(message: string): string {
  return [...Buffer.from(message, 'utf8')]
    .map((byte) =>
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
    )
    .join('');
}
