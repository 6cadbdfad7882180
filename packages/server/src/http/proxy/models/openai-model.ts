import { withoutTrailingSlashes } from '@dstack/contract';
import { ProxyRefusal } from '../../../proxy/refusal.ts';
import type { ModelClient } from './model-client.ts';
import { answerText } from './read-answer.ts';
import { sseData } from './sse-data.ts';

/** The end of a stream in OpenAI's API. */
export const DONE = '[DONE]';

/** A model with OpenAI's API: requests and answers are passed unchanged. */
export function openAiModel(prefix: string): ModelClient {
  const path = `${withoutTrailingSlashes(prefix)}/chat/completions`;
  return {
    async complete(request, ask) {
      const answer = await ask(path, JSON.stringify(request));
      const body = await answerText(answer.body);
      try {
        return JSON.parse(body);
      } catch (error) {
        throw new ProxyRefusal(502, 'Invalid response from model', { cause: error });
      }
    },
    async *stream(request, ask) {
      const answer = await ask(path, JSON.stringify(request));
      for await (const data of sseData(answer.body)) {
        if (data === DONE) return;
        yield checked(data);
      }
    },
  };
}

function checked(chunk: string): string {
  try {
    return JSON.stringify(JSON.parse(chunk));
  } catch (error) {
    throw new ProxyRefusal(502, 'Invalid chunk in model stream', { cause: error });
  }
}
