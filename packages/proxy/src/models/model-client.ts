import type { Dispatcher } from 'undici';
import type { ChatRequest } from './chat-request.ts';

/** Sends a request to a path of the service with the model. Throws `ProxyRefusal`. */
export type AskModel = (path: string, body: string) => Promise<Dispatcher.ResponseData>;

/** Translates between the model's API and OpenAI's. All functions throw `ProxyRefusal`. */
export interface ModelClient {
  complete(request: ChatRequest, ask: AskModel): Promise<unknown>;
  /** Chunks in OpenAI's form, as JSON texts. */
  stream(request: ChatRequest, ask: AskModel): AsyncIterable<string>;
}
