import type { Readable } from 'node:stream';
import { ProxyRefusal } from '../refusals/refusal.ts';

/** Bytes of a response that is read as a whole; models that send more use a stream. */
const MAX_ANSWER = 16 * 1024 * 1024;

/** Bytes of an error: many requests may fail at the same time. */
const MAX_ERROR = 256 * 1024;

/** Reads the body of an answer that is an error. Throws like `answerText`. */
export function modelErrorText(body: Readable): Promise<string> {
  return answerText(body, MAX_ERROR);
}

/** Reads a whole body. Throws `ProxyRefusal` if the connection breaks or the body is too large. */
export async function answerText(body: Readable, most = MAX_ANSWER): Promise<string> {
  const pieces: Buffer[] = [];
  let size = 0;
  try {
    for await (const piece of body as AsyncIterable<Buffer>) {
      size += piece.length;
      if (size > most) throw tooLarge(most);
      pieces.push(piece);
    }
  } catch (error) {
    throw error instanceof ProxyRefusal ? error : connectionBroken(error);
  }
  return Buffer.concat(pieces, size).toString('utf8');
}

/** The connection broke before the end of the response. */
export function connectionBroken(cause: unknown): ProxyRefusal {
  return new ProxyRefusal(502, 'The model closed the connection before the end of its answer', {
    ...{ code: 'connection_broken', cause },
  });
}

function tooLarge(most: number): ProxyRefusal {
  return new ProxyRefusal(502, `The answer of the model has more than ${most} bytes`, {
    code: 'answer_too_large',
  });
}
