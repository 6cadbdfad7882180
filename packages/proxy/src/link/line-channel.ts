/** Messages between the server and a worker: one JSON object a line, over a unix socket. */
import type { Duplex } from 'node:stream';
import { errorMessage } from '@dstack/contract/error-message';
import { ProxyRefusal } from '../refusals/refusal.ts';
import { LineStream } from './line-stream.ts';

/** Handles one kind of message; the result of a request is its answer. */
// biome-ignore lint/suspicious/noExplicitAny: each handler states the type of its own message
export type Handlers = Readonly<Record<string, (data: any) => unknown>>;

interface Frame {
  readonly type?: string;
  /** A request, which expects an answer. */
  readonly id?: number;
  /** The answer to the request with this id. */
  readonly to?: number;
  readonly data?: unknown;
  readonly error?: SentError;
}

interface SentError {
  readonly message: string;
  /** Null: an error that is not meant for the caller of the service. */
  readonly refusal: {
    readonly status: number;
    readonly code: string | null;
    readonly retryAfter: number | null;
    readonly needsSignIn: boolean;
  } | null;
}

/** The other side has disconnected. */
export class ChannelClosed extends Error {
  override name = 'ChannelClosed';
}

interface Pending {
  readonly resolve: (data: never) => void;
  readonly reject: (error: Error) => void;
}

/** Both sides send requests and notifications at any time. */
export class LineChannel {
  readonly #lines: LineStream;
  readonly #handlers: Handlers;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #isClosed = false;
  /** Resolves when the connection is closed. */
  readonly closed: Promise<void>;

  constructor(stream: Duplex, handlers: Handlers) {
    this.#handlers = handlers;
    const closed = Promise.withResolvers<void>();
    this.closed = closed.promise;
    this.#lines = new LineStream(stream, {
      onLine: (line) => this.#take(line),
      onEnd: () => {
        this.#isClosed = true;
        for (const { reject } of this.#pending.values()) reject(new ChannelClosed());
        this.#pending.clear();
        closed.resolve();
      },
      longest: Number.POSITIVE_INFINITY,
    });
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Rejects with the error of the other side, or with `ChannelClosed`. */
  ask<T>(type: string, data: unknown): Promise<T> {
    if (this.#isClosed) return Promise.reject(new ChannelClosed());
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise<T>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#write({ type, id, data });
    });
  }

  notify(type: string, data: unknown): void {
    this.#write({ type, data });
  }

  close(): void {
    this.#lines.close();
  }

  #write(frame: Frame): void {
    if (!this.#isClosed) this.#lines.send(frame);
  }

  /** Throws if it is not the other side of this protocol. */
  #take(line: string): void {
    const frame = JSON.parse(line) as Frame;
    if (frame.to !== undefined) {
      this.#answered(frame.to, frame);
      return;
    }
    const handler = this.#handlers[frame.type ?? ''];
    const { id } = frame;
    if (id === undefined) {
      if (handler) handler(frame.data);
      return;
    }
    void answerOf(handler, frame).then((answer) => this.#write({ to: id, ...answer }));
  }

  #answered(id: number, { data, error }: Frame): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (error) pending?.reject(receivedError(error));
    else pending?.resolve(data as never);
  }
}

async function answerOf(
  handler: Handlers[string] | undefined,
  { type, data }: Frame,
): Promise<Pick<Frame, 'data' | 'error'>> {
  try {
    if (!handler) throw new Error(`unknown request ${type}`);
    return { data: (await handler(data)) ?? null };
  } catch (error) {
    return { error: sentError(error) };
  }
}

function sentError(error: unknown): SentError {
  const message = errorMessage(error);
  if (!(error instanceof ProxyRefusal)) return { message, refusal: null };
  const { status, code, retryAfter, needsSignIn } = error;
  return { message, refusal: { status, code, retryAfter, needsSignIn } };
}

function receivedError({ message, refusal }: SentError): Error {
  if (refusal === null) return new Error(message);
  const { status, code, retryAfter, needsSignIn } = refusal;
  const known = { ...(code !== null && { code }), ...(retryAfter !== null && { retryAfter }) };
  return new ProxyRefusal(status, message, { ...known, needsSignIn });
}
