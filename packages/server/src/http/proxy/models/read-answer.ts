import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { ProxyRefusal } from '../../../proxy/refusal.ts';

/** All that a model says. Throws `ProxyRefusal` where it breaks off. */
export async function answerText(body: Readable): Promise<string> {
  return await text(body).catch((error: unknown) => {
    throw brokenOff(error);
  });
}

/** The connection to the model has ended before its answer. */
export function brokenOff(cause: unknown): ProxyRefusal {
  return new ProxyRefusal(502, 'The model has broken off its answer', {
    ...{ code: 'connection_broken', cause },
  });
}
