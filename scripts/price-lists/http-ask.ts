/** Answers of public addresses over HTTPS, bounded in size and time. */
import { errorMessage } from '@dstack/contract/error-message';
import type { Ask } from './reader.ts';

const MOST_JSON = 64 * 1024 * 1024;
const MOST_TEXT = 4 * 1024 ** 3;
const JSON_MS = 60_000;
/** A list of a region of AWS over a slow line. */
const TEXT_MS = 60 * 60_000;
/** After an answer that asks for patience, which is asked for once more. */
const AGAIN_MS = 5000;
const TOO_MANY = 429;

export interface HttpAskOptions {
  readonly fetch: typeof fetch;
  readonly delay: (ms: number) => Promise<unknown>;
}

export function httpAsk({ fetch, delay }: HttpAskOptions): Ask {
  const open = async (url: string, ms: number, isAgain = false): Promise<Response> => {
    const { protocol, host } = new URL(url);
    if (protocol !== 'https:') throw new Error(`${url} is not https`);
    // The list of another address is not the provider's.
    const signal = AbortSignal.timeout(ms);
    const response = await fetch(url, { redirect: 'error', signal }).catch((error: Error) => {
      throw new Error(`${host}: ${errorMessage(error.cause ?? error)}`, { cause: error });
    });
    if (response.ok) return response;
    await response.body?.cancel();
    if (response.status !== TOO_MANY || isAgain)
      throw new Error(`${host}: HTTP ${response.status}`);
    await delay(AGAIN_MS);
    return await open(url, ms, true);
  };
  return {
    json: async (url) => {
      let text = '';
      for await (const piece of piecesOf(await open(url, JSON_MS), MOST_JSON)) text += piece;
      return JSON.parse(text) as unknown;
    },
    async *text(url) {
      yield* piecesOf(await open(url, TEXT_MS), MOST_TEXT);
    },
  };
}

async function* piecesOf({ body }: Response, most: number): AsyncGenerator<string> {
  if (body === null) return;
  const decoder = new TextDecoder();
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > most) throw new Error(`the answer has more than ${most} bytes`);
    yield decoder.decode(chunk, { stream: true });
  }
  yield decoder.decode();
}
