/** Receives the bytes of a body, with limits of size and time. Encoded bodies are refused. */
import type { IncomingMessage } from 'node:http';
import { askForBody } from './awaited-bodies.ts';
import { type BodyRefusal, RefusedBody } from './body-refusal.ts';

export interface ReceiveRules {
  /** Bytes; Infinity = no limit. */
  readonly limit: number;
  readonly pace: BodyPace;
}

/** The slowest accepted body. */
export interface BodyPace {
  /** Every body may take this long. */
  readonly graceMs: number;
  /** A larger body may take longer if it averages this rate. */
  readonly bytesPerSecond: number;
}

type Take = (piece: Buffer) => void | Promise<void>;

/**
 * Passes every piece to `take`, one after another, and resolves after the last one. Rejects with
 * `RefusedBody` or the error of `take`; the rest of the body is not read then.
 */
export function receive(request: IncomingMessage, rules: ReceiveRules, take: Take): Promise<void> {
  const early = earlyRefusal(request, rules.limit);
  if (early !== null) return Promise.reject(new RefusedBody(early));
  const receiving = new Receiving(request, rules, take);
  askForBody(request);
  return receiving.done;
}

class Receiving {
  readonly done: Promise<void>;
  readonly #request: IncomingMessage;
  readonly #rules: ReceiveRules;
  readonly #take: Take;
  readonly #settle: PromiseWithResolvers<void>;
  readonly #began = performance.now();
  #received = 0;
  #timer: NodeJS.Timeout;
  /** Settles when `take` has handled the last piece; the body may end before that. */
  #taking: Promise<void> = Promise.resolve();

  constructor(request: IncomingMessage, rules: ReceiveRules, take: Take) {
    this.#request = request;
    this.#rules = rules;
    this.#take = take;
    this.#settle = Promise.withResolvers<void>();
    this.done = this.#settle.promise;
    this.#timer = setTimeout(this.#watch, rules.pace.graceMs);
    request.on('end', this.#onEnd).on('close', this.#onClose).on('error', this.#onClose);
    request.on('data', this.#onData);
  }

  readonly #onData = (piece: Buffer): void => {
    const { limit } = this.#rules;
    this.#received += piece.length;
    if (this.#received > limit) {
      this.#refuse({ kind: 'too-large', limit, stated: null });
      return;
    }
    try {
      const taken = this.#take(piece);
      if (taken === undefined) return;
      this.#request.pause();
      this.#taking = taken.then(() => void this.#request.resume());
      this.#taking.catch(this.#fail);
    } catch (error) {
      this.#fail(error);
    }
  };

  readonly #watch = (): void => {
    const { graceMs, bytesPerSecond } = this.#rules.pace;
    const elapsed = performance.now() - this.#began;
    const left = graceMs + (this.#received / bytesPerSecond) * 1000 - elapsed;
    if (left > 0) this.#timer = setTimeout(this.#watch, left);
    else {
      const seconds = Math.round(elapsed / 1000);
      this.#refuse({ kind: 'too-slow', received: this.#received, seconds });
    }
  };

  readonly #onEnd = (): void => {
    this.#stop();
    this.#taking.then(this.#settle.resolve, this.#settle.reject);
  };

  /**
   * Node reports a client that has disconnected as an error of the request; it is not an error of
   * the server.
   */
  readonly #onClose = (): void => this.#refuse({ kind: 'cut-off' });

  #refuse(refusal: BodyRefusal): void {
    this.#fail(new RefusedBody(refusal));
  }

  readonly #fail = (error: unknown): void => {
    this.#stop();
    this.#request.pause();
    this.#settle.reject(error);
  };

  #stop(): void {
    clearTimeout(this.#timer);
    this.#request.off('data', this.#onData).off('end', this.#onEnd);
    this.#request.off('close', this.#onClose).off('error', this.#onClose);
  }
}

function earlyRefusal(request: IncomingMessage, limit: number): BodyRefusal | null {
  const { headers } = request;
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== '' && encoding.toLowerCase() !== 'identity') {
    return { kind: 'encoded', encoding: encoding.slice(0, 40) };
  }
  const stated = Number(headers['content-length'] ?? 0);
  if (stated > limit) return { kind: 'too-large', limit, stated };
  // The connection was closed before there was a listener.
  return request.destroyed && !request.readableEnded ? { kind: 'cut-off' } : null;
}
