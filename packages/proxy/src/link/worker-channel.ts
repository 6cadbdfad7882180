/** Messages between a worker and the process that leads it: the server, or the main process of a gateway. */
import type { Socket } from 'node:net';
import { errorMessage } from '@dstack/contract/error-message';
import { ProxyRefusal } from '../refusals/refusal.ts';

/** Handles one kind of message; the result of a request is its answer. */
// biome-ignore lint/suspicious/noExplicitAny: each handler states the type of its own message
export type Handlers = Readonly<Record<string, (data: any) => unknown>>;

export interface Frame {
  readonly type?: string;
  /** A request, which expects an answer. */
  readonly id?: number;
  /** The answer to the request with this id. */
  readonly to?: number;
  readonly data?: unknown;
  readonly error?: SentError;
  /** A connection belongs to the answer. */
  readonly hasSocket?: boolean;
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

/** The transport of the messages. */
export interface Wire {
  /** `socket`: only between processes of one program. */
  send(frame: Frame, socket?: Socket): void;
  close(): void;
}

export interface WireEvents {
  /** Throws if the other side does not have this protocol. */
  readonly onFrame: (frame: Frame, socket?: Socket) => void;
  readonly onEnd: () => void;
}

/** The answer of a handler that passes a connection on: the other side gets `data` with the key `socket`. */
export class WithSocket {
  readonly data: object;
  readonly socket: Socket;

  constructor(data: object, socket: Socket) {
    this.data = data;
    this.socket = socket;
  }
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
export class WorkerChannel {
  readonly #wire: Wire;
  readonly #handlers: Handlers;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #isClosed = false;
  /** Resolves when the connection is closed. */
  readonly closed: Promise<void>;

  constructor(handlers: Handlers, open: (events: WireEvents) => Wire) {
    this.#handlers = { beat: () => null, ...handlers };
    const closed = Promise.withResolvers<void>();
    this.closed = closed.promise;
    this.#wire = open({
      onFrame: (frame, socket) => this.#take(frame, socket),
      onEnd: () => {
        this.#isClosed = true;
        for (const { reject } of this.#pending.values()) reject(new ChannelClosed());
        this.#pending.clear();
        closed.resolve();
      },
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
    this.#wire.close();
  }

  #write(frame: Frame, socket?: Socket): void {
    if (this.#isClosed) socket?.destroy();
    else this.#wire.send(frame, socket);
  }

  #take(frame: Frame, socket?: Socket): void {
    if (frame.to !== undefined) {
      this.#answered(frame.to, frame, socket);
      return;
    }
    const handler = this.#handlers[frame.type ?? ''];
    const { id } = frame;
    if (id === undefined) {
      if (handler) handler(frame.data);
      return;
    }
    void answerOf(handler, frame).then(({ socket: passed, ...answer }) =>
      this.#write({ to: id, ...answer }, passed),
    );
  }

  #answered(id: number, { data, error, hasSocket }: Frame, socket?: Socket): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (pending === undefined) socket?.destroy();
    else if (error) pending.reject(receivedError(error));
    // It may have ended while it was passed on.
    else if (hasSocket) pending.resolve({ ...(data as object), socket: socket ?? null } as never);
    else pending.resolve(data as never);
  }
}

interface Answer extends Pick<Frame, 'data' | 'error' | 'hasSocket'> {
  readonly socket?: Socket;
}

async function answerOf(
  handler: Handlers[string] | undefined,
  { type, data }: Frame,
): Promise<Answer> {
  try {
    if (!handler) throw new Error(`unknown request ${type}`);
    const answer = (await handler(data)) ?? null;
    if (!(answer instanceof WithSocket)) return { data: answer };
    return { data: answer.data, hasSocket: true, socket: answer.socket };
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
