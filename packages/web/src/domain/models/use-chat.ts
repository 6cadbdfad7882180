import { ApiError, type ChatMessage, type ProjectClient } from '@dstack/client';
import { useEffect, useRef, useState } from 'react';
import { errorText } from '../../ui/feedback/error-text.ts';

export interface ChatOptions {
  readonly model: string;
  readonly system: string;
  readonly temperature: number | null;
  readonly maxTokens: number | null;
}

export interface Chat {
  readonly messages: readonly ChatMessage[];
  readonly isAnswering: boolean;
  /** The last answer failed; the conversation stays. */
  readonly error: string | null;
  readonly send: (text: string, options: ChatOptions) => void;
  readonly stop: () => void;
  readonly clear: () => void;
}

/** A conversation with a model, whose answers appear as they are produced. */
export function useChat(models: ProjectClient['models']): Chat {
  const [messages, setMessages] = useState<readonly ChatMessage[]>([]);
  const [error, setError] = useState<string | null>(null);
  const [isAnswering, setAnswering] = useState(false);
  const leave = useRef<AbortController | null>(null);
  // The rest of the answer is not needed after the page was left.
  useEffect(() => () => leave.current?.abort(), []);

  const send = async (text: string, options: ChatOptions) => {
    const asked: readonly ChatMessage[] = [...messages, { role: 'user', content: text }];
    setMessages(asked);
    setError(null);
    setAnswering(true);
    const stop = new AbortController();
    leave.current = stop;
    const { model, system, temperature, maxTokens } = options;
    const first: readonly ChatMessage[] =
      system.trim() === '' ? [] : [{ role: 'system', content: system }];
    const request = {
      model,
      messages: [...first, ...asked],
      ...(temperature === null ? {} : { temperature }),
      ...(maxTokens === null ? {} : { max_tokens: maxTokens }),
    };
    let content = '';
    try {
      for await (const piece of models.chat(request, stop.signal)) {
        content += piece;
        setMessages([...asked, { role: 'assistant', content }]);
      }
    } catch (failure) {
      if (!stop.signal.aborted) setError(chatErrorText(failure));
    } finally {
      if (leave.current === stop) setAnswering(false);
    }
  };
  return {
    messages,
    isAnswering,
    error,
    send: (text, options) => void send(text, options),
    stop: () => {
      leave.current?.abort();
      setAnswering(false);
    },
    clear: () => {
      leave.current?.abort();
      setMessages([]);
      setError(null);
      setAnswering(false);
    },
  };
}

/** Models explain errors in a form of their own. */
export function chatErrorText(error: unknown): string {
  if (error instanceof ApiError) {
    const { body } = error as { body: { error?: { message?: unknown } } | null };
    const message = body?.error?.message;
    if (typeof message === 'string') return message;
  }
  return errorText(error).what;
}
