import type { ModelUsageReport } from '@dstack/contract/wire';
import type { Transport } from '../transport.ts';

export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

export interface ModelChat {
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  readonly temperature?: number;
  readonly max_tokens?: number;
}

/** Calls on the models that services of one project serve. Servers of dstack 0.22.5 have none of them. */
export function modelsOf(transport: Transport, base: string) {
  return {
    usage: (query: { readonly since?: string }): Promise<ModelUsageReport> =>
      transport.get(`${base}/models/usage`, { ...query }),
    /** The pieces of the answer's text, as the model produces them. */
    async *chat(request: ModelChat, signal: AbortSignal): AsyncGenerator<string, void> {
      const body = { ...request, stream: true };
      const path = `${base}/models/chat/completions`;
      for await (const { data } of transport.events(path, {}, signal, null, body)) {
        if (data === '[DONE]') return;
        const text = pieceOf(data);
        if (text !== '') yield text;
      }
    },
  };
}

/** Chunks without text, such as those about usage, are normal. */
function pieceOf(data: string): string {
  const chunk = JSON.parse(data) as {
    readonly error?: { readonly message?: string };
    readonly choices?: readonly { readonly delta?: { readonly content?: string | null } }[];
  };
  if (chunk.error !== undefined) throw new Error(chunk.error.message ?? 'The model failed.');
  return chunk.choices?.[0]?.delta?.content ?? '';
}
