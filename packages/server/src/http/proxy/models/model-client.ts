import type { ServiceConfiguration } from '@dstack/contract/wire';
import type { Dispatcher } from 'undici';
import type { ChatRequest } from './chat-request.ts';

export type Model = NonNullable<ServiceConfiguration['model']>;

/** Asks a path of the service that serves the model. Throws `ProxyRefusal`. */
export type AskModel = (path: string, body: string) => Promise<Dispatcher.ResponseData>;

/** Speaks to a model in its own way, and to clients as OpenAI does. All throw `ProxyRefusal`. */
export interface ModelClient {
  complete(request: ChatRequest, ask: AskModel): Promise<unknown>;
  /** Chunks in OpenAI's form, as JSON texts. */
  stream(request: ChatRequest, ask: AskModel): AsyncIterable<string>;
}
