import type { ServerResponse } from 'node:http';
import { SANDBOX } from '../head/headers.ts';
import { drained } from './drained.ts';
import { brokenStream } from './model-errors.ts';

/** The end of a stream in OpenAI's API. */
const DONE = '[DONE]';

/** Browsers must not guess the type of a response. */
export const NO_SNIFF = ['X-Content-Type-Options', 'nosniff'] as const;

/**
 * Sends chunks as server-sent events. The status depends on the first chunk, which may be a refusal
 * of the model. A later failure is an event with `error`, and the stream ends without its end marker.
 */
export async function streamChunks(
  chunks: AsyncIterable<string>,
  response: ServerResponse,
  originHeaders: Readonly<Record<string, string>>,
): Promise<void> {
  const iterator = chunks[Symbol.asyncIterator]();
  let next = await iterator.next();
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache',
    'x-accel-buffering': 'no',
    [NO_SNIFF[0]]: NO_SNIFF[1],
    [SANDBOX[0]]: SANDBOX[1],
    ...originHeaders,
  });
  try {
    for (; !next.done && !response.destroyed; next = await iterator.next()) {
      if (!response.write(`data:${next.value}\n\n`)) await drained(response);
    }
    response.end(`data: ${DONE}\n\n`);
  } catch (error) {
    response.end(brokenStream(error));
  } finally {
    await iterator.return?.();
  }
}
