/** The body of a client's request on its way to an app, which may answer before it has read all of it. */
import type { IncomingMessage, ServerResponse } from 'node:http';

export class ClientDisconnected extends Error {}

/** The app has answered: the rest of the body is not for it. */
class LeftBody extends Error {}

const EVENTS = ['readable', 'end', 'error', 'close'] as const;

/**
 * Neither the request itself, which would be destroyed together with the client's connection when an app
 * answers early, nor Node's iterator of it, which keeps the rest from being read while it waits for the next part.
 */
export class RequestBody {
  readonly #request: IncomingMessage;
  #isLeft = false;
  #wake: () => void = () => {};

  constructor(request: IncomingMessage) {
    this.#request = request;
  }

  /** May be called once. Throws if the client disconnects, and after `leave`. */
  async *parts(): AsyncGenerator<Buffer, void> {
    const request = this.#request;
    for (const event of EVENTS) request.on(event, this.#onEvent);
    try {
      for (;;) {
        if (this.#isLeft) throw new LeftBody();
        const part = request.read() as Buffer | null;
        if (part !== null) yield part;
        else if (request.readableEnded) return;
        else if (request.destroyed) throw new ClientDisconnected();
        else await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      this.#detach();
    }
  }

  /** The reader gets no more; the rest can be read by others. */
  leave(): void {
    this.#isLeft = true;
    this.#detach();
    this.#wake();
  }

  readonly #onEvent = (): void => this.#wake();

  #detach(): void {
    for (const event of EVENTS) this.#request.off(event, this.#onEvent);
  }
}

/**
 * How much of a body is read and discarded after the answer: so many bytes, and for so many milliseconds
 * until the connection is closed.
 */
export interface RestLimits {
  readonly bytes: number;
  readonly ms: number;
  /** From the last byte that is read to the end of the connection: the client has not read the answer yet. */
  readonly lastMs: number;
}

/**
 * Some clients read the answer only after they have sent the whole body, and one that is closed at once may lose
 * the answer. But no client may send without an end what is not read.
 */
const LIMITS: RestLimits = { bytes: 16 * 1024 * 1024, ms: 10_000, lastMs: 500 };

/**
 * Reads the rest of a body that is being answered, so that it does not precede the next request of the connection;
 * of a long or slow rest only the beginning, and then the connection is closed.
 */
export function dropRest(
  request: IncomingMessage,
  response: ServerResponse,
  { bytes, ms, lastMs }: RestLimits = LIMITS,
): void {
  if (request.complete || request.destroyed) return;
  const { socket } = request;
  const close = () => void (request.complete || socket.destroy());
  const late = setTimeout(close, ms).unref();
  request.once('end', () => clearTimeout(late));
  const stop = () => {
    socket.end();
    setTimeout(close, lastMs).unref();
  };
  let read = 0;
  // Node itself reads the whole body if no other reader has begun.
  request.on('data', (part: Buffer) => {
    read += part.length;
    if (read <= bytes || request.isPaused()) return;
    request.pause();
    if (response.writableFinished) stop();
    else response.once('finish', stop);
  });
  request.resume();
}
