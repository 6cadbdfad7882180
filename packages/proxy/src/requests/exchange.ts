/** Sends one request to a replica and its answer back, both as they arrive. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Dispatcher } from 'undici';
import { type ResponseContext, responseHeaders, trailersOf } from '../head/headers.ts';
import type { AnswerTap } from '../models/model-use.ts';
import { bodyTooLarge } from '../refusals/refusal.ts';
import type { Sent } from './delivery.ts';
import type { RequestCopy } from './mirror.ts';
import { ClientDisconnected, dropRest, RequestBody } from './request-body.ts';

export interface ProxyExchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Path and query for the service. */
  readonly path: string;
  /** Names and values in turn. */
  readonly headers: string[];
  readonly answer: ResponseContext;
  readonly id: string;
  /** Bytes; Infinity = no limit. */
  readonly maxBody: number;
  /** Gets the body as well; null = it is not copied. */
  readonly copy: RequestCopy | null;
  /** Reads the answer too; null = nothing does. */
  readonly tap: AnswerTap | null;
  /** The app begins to answer. */
  readonly onAnswer: (status: number) => void;
}

/** How an exchange ended in which the app answered or the client disconnected. */
export type ExchangeOutcome = 'answered' | 'client-disconnected' | 'cut-off';

/** Never rejects. On `failed` nothing was answered yet. */
export function exchange(
  dispatcher: Pick<Dispatcher, 'dispatch'>,
  order: ProxyExchange,
): Promise<Sent<ExchangeOutcome>> {
  return new Promise((resolve) => {
    const { request, path, headers, maxBody, copy } = order;
    const body = hasBody(request) ? new RequestBody(request) : null;
    const handler = new ExchangeHandler(order, body, resolve);
    try {
      dispatcher.dispatch(
        {
          path,
          method: request.method as Dispatcher.HttpMethod,
          headers,
          body: body && (bodyOf(body, maxBody, copy) as never),
        },
        handler,
      );
    } catch (error) {
      handler.onResponseError(null, error as Error);
    }
  });
}

function bodyOf(body: RequestBody, limit: number, copy: RequestCopy | null): AsyncIterable<Buffer> {
  const parts = body.parts();
  const allowed = Number.isFinite(limit) ? limited(parts, limit) : parts;
  return copy === null ? allowed : copied(allowed, copy);
}

async function* copied(parts: AsyncIterable<Buffer>, copy: RequestCopy): AsyncIterable<Buffer> {
  copy.begin();
  for await (const part of parts) {
    copy.add(part);
    yield part;
  }
  copy.send();
}

async function* limited(parts: AsyncIterable<Buffer>, limit: number): AsyncIterable<Buffer> {
  let size = 0;
  for await (const part of parts) {
    size += part.length;
    if (size > limit) throw bodyTooLarge(limit);
    yield part;
  }
}

export function hasBody({ headers }: IncomingMessage): boolean {
  if (headers['transfer-encoding'] !== undefined) return true;
  return headers['content-length'] !== undefined && headers['content-length'] !== '0';
}

/** Bytes of a body that is sent together with its head. */
const MAX_FIRST = 16 * 1024;

class ExchangeHandler implements Dispatcher.DispatchHandler {
  readonly #order: ProxyExchange;
  readonly #body: RequestBody | null;
  readonly #resolve: (sent: Sent<ExchangeOutcome>) => void;
  #controller: Dispatcher.DispatchController | null = null;
  #answering = false;
  /** The beginning of the body, until it is known whether it is all of it. */
  #first: Buffer | null = null;
  #wrote = false;
  #trailers: readonly [string, string][] = [];
  /** The last part of an answer that is read too: it is sent once what it has used is durable. */
  #last: Buffer | null = null;
  #reporting: Promise<void> | null = null;
  #isDisconnected = false;

  constructor(
    order: ProxyExchange,
    body: RequestBody | null,
    resolve: (sent: Sent<ExchangeOutcome>) => void,
  ) {
    this.#order = order;
    this.#body = body;
    this.#resolve = resolve;
    order.response.on('close', this.#onClose);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#isDisconnected) controller.abort(new ClientDisconnected());
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    _headers: unknown,
    statusText?: string,
  ): void {
    // Informational answers (100, 103) are for the next hop only.
    if (status < 200) return;
    const { response, answer, id, tap, onAnswer } = this.#order;
    onAnswer(status);
    const text = textsOf(controller.rawHeaders);
    tap?.begin(status, contentTypeOf(text));
    const headers = responseHeaders(text, answer);
    headers.push('X-Request-Id', id);
    try {
      response.writeHead(status, statusText, headers);
    } catch (error) {
      // Node refuses some characters. Without the reset it would refuse the error response as well.
      response.statusMessage = '';
      throw error;
    }
    this.#answering = true;
    // An answer with a long body sends its head at once; a short one is sent in one piece.
    process.nextTick(this.#flush);
  }

  readonly #flush = (): void => {
    const { response, tap } = this.#order;
    if (this.#wrote || response.destroyed || tap?.isWhole) return;
    if (this.#first !== null) this.#write(this.#controller, this.#first);
    else response.flushHeaders();
    // Later parts are sent as they come: each may be an event after which nothing follows.
    this.#wrote = true;
  };

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const { tap } = this.#order;
    tap?.push(chunk);
    if (tap?.isWhole) {
      const before = this.#last;
      this.#last = chunk;
      if (before !== null) this.#write(controller, before);
    } else if (tap?.isEnding) {
      controller.pause();
      this.#reporting = tap.report(false).then(() => {
        controller.resume();
        this.#pass(controller, chunk);
      });
    } else {
      this.#pass(controller, chunk);
    }
  }

  #pass(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#wrote && this.#first === null && chunk.length <= MAX_FIRST) {
      this.#first = chunk;
      return;
    }
    if (!this.#wrote && this.#first !== null) this.#write(controller, this.#first);
    this.#write(controller, chunk);
  }

  #write(controller: Dispatcher.DispatchController | null, chunk: Buffer): void {
    this.#wrote = true;
    const { response } = this.#order;
    if (response.write(chunk)) return;
    controller?.pause();
    response.once('drain', () => controller?.resume());
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    const { tap } = this.#order;
    this.#trailers = trailersOf(textsOf(controller.rawTrailers));
    if (tap === null) this.#end();
    else void this.#endReported(tap);
  }

  async #endReported(tap: AnswerTap): Promise<void> {
    await this.#reporting;
    await tap.report(false);
    if (this.#isDisconnected) {
      this.#finish({ kind: 'done', value: 'client-disconnected' });
      return;
    }
    if (this.#last !== null) {
      if (this.#wrote) this.#order.response.write(this.#last);
      else this.#first = this.#last;
    }
    this.#end();
  }

  #end(): void {
    const { response } = this.#order;
    if (this.#trailers.length > 0) response.addTrailers(this.#trailers);
    // Node sends head and body as one string with a single call, which is cheaper than two buffers.
    if (this.#wrote || this.#first === null) response.end();
    else response.end(this.#first.toString('latin1'), 'latin1');
    this.#wrote = true;
    this.#leaveBody();
    this.#finish({ kind: 'done', value: 'answered' });
  }

  onResponseError(_controller: unknown, error: Error): void {
    const { response, tap } = this.#order;
    void tap?.report(true);
    if (this.#isDisconnected) this.#finish({ kind: 'done', value: 'client-disconnected' });
    else if (this.#answering) {
      // The client must see that something is missing.
      response.destroy();
      this.#finish({ kind: 'done', value: 'cut-off' });
    } else {
      const unsent = this.#controller === null;
      if (!unsent) this.#leaveBody();
      this.#finish({ kind: 'failed', error, unsent });
    }
  }

  /** The part that the app did not read must not precede the client's next request. */
  #leaveBody(): void {
    if (this.#body === null) return;
    const { request, response } = this.#order;
    this.#body.leave();
    dropRest(request, response);
  }

  readonly #onClose = (): void => {
    if (this.#order.response.writableFinished) return;
    this.#isDisconnected = true;
    this.#controller?.abort(new ClientDisconnected());
    // Still waiting for a connection that is no longer needed.
    if (this.#controller === null) this.#finish({ kind: 'done', value: 'client-disconnected' });
  };

  #finish(sent: Sent<ExchangeOutcome>): void {
    this.#order.response.off('close', this.#onClose);
    this.#resolve(sent);
  }
}

/** Names and values in turn, as undici has read them. */
function textsOf(raw: unknown): string[] {
  const parts = (raw ?? []) as readonly (Buffer | string)[];
  return parts.map((part) => (typeof part === 'string' ? part : part.toString('latin1')));
}

/** `text`: names and values in turn. */
function contentTypeOf(text: readonly string[]): string {
  const at = text.findIndex((name, n) => n % 2 === 0 && name.toLowerCase() === 'content-type');
  return at < 0 ? '' : (text[at + 1] ?? '');
}
