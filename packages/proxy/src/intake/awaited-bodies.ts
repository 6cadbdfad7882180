/** Clients that send their body only once they are asked for it. */
import type { IncomingMessage, ServerResponse } from 'node:http';

/** Requests with `Expect: 100-continue` whose clients have not sent their body yet. */
const waiting = new WeakMap<IncomingMessage, ServerResponse>();

/** The client waits until `askForBody`. */
export function awaitBody(request: IncomingMessage, response: ServerResponse): void {
  waiting.set(request, response);
}

/** Whether the client has not been asked for its body. */
export function isBodyAwaited(request: IncomingMessage): boolean {
  return waiting.has(request);
}

/** Requests the body from a client that waits for `100 Continue`. */
export function askForBody(request: IncomingMessage): void {
  waiting.get(request)?.writeContinue();
  waiting.delete(request);
}
