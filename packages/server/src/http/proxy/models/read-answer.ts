import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { ProxyRefusal } from '../../../proxy/refusal.ts';

/** Reads a whole body. Throws `ProxyRefusal` if the connection breaks. */
export async function answerText(body: Readable): Promise<string> {
  return await text(body).catch((error: unknown) => {
    throw brokenOff(error);
  });
}

/** The connection broke before the end of the response. */
export function brokenOff(cause: unknown): ProxyRefusal {
  return new ProxyRefusal(502, 'The model has broken off its answer', {
    ...{ code: 'connection_broken', cause },
  });
}
