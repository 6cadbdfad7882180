/**
 * Requests with fields after their body (trailers), which undici cannot send. Each has a connection of its own, by Node's
 * client.
 */
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Dispatcher } from 'undici';
import { announcedTrailers } from '../head/headers.ts';
import { MAX_HEADERS, type RawHeaders } from '../head/raw-headers.ts';
import { NoAnswerInTime } from '../replicas/upstream-failure.ts';

export interface TrailingOptions {
  readonly request: IncomingMessage;
  /** Opens a connection to the replica. */
  readonly open: () => Promise<Duplex>;
  /** Those of the client that are passed on; called once its body has ended. */
  readonly trailers: () => Promise<[string, string][]>;
  /** Milliseconds of silence of the app after which the request fails; 0 = no limit. */
  readonly timeoutMs: number;
}

/** Whether the client announces fields after the body. */
export const hasTrailers = ({ headers }: Pick<IncomingMessage, 'headers'>): boolean =>
  headers.trailer !== undefined && headers['transfer-encoding'] !== undefined;

/** Sends one request, as a dispatcher of undici would. */
export function trailingDispatcher(options: TrailingOptions): Pick<Dispatcher, 'dispatch'> {
  return {
    dispatch: (order, handler) => {
      void new TrailingRequest(options, order, handler).run();
      return true;
    },
  };
}

type Controller = Dispatcher.DispatchController;

class TrailingRequest {
  readonly #options: TrailingOptions;
  readonly #order: Dispatcher.DispatchOptions;
  readonly #handler: Dispatcher.DispatchHandler;
  #silence: NodeJS.Timeout | null = null;
  #isOver = false;

  constructor(
    options: TrailingOptions,
    order: Dispatcher.DispatchOptions,
    handler: Dispatcher.DispatchHandler,
  ) {
    this.#options = options;
    this.#order = order;
    this.#handler = handler;
  }

  async run(): Promise<void> {
    let connection: Duplex;
    try {
      connection = await this.#options.open();
    } catch (error) {
      this.#fail(null, error as Error);
      return;
    }
    const outgoing = this.#begin(connection);
    const controller = this.#controllerOf(outgoing);
    outgoing.on('error', (error) => this.#fail(controller, error));
    outgoing.on('response', (response) => {
      this.#answered(controller, response);
      // An app that has not read the whole body may keep the connection.
      response.once('end', () => outgoing.writableFinished || outgoing.destroy());
    });
    outgoing.on('close', () => {
      // The rest of a whole answer may still wait for the client.
      if (controller.answer?.complete !== true) {
        this.#fail(controller, new Error('the replica has disconnected'));
      }
    });
    this.#watch(controller, outgoing);
    this.#handler.onRequestStart?.(controller, {});
    await this.#sendBody(outgoing);
  }

  #begin(connection: Duplex): ClientRequest {
    const { method, path, headers } = this.#order;
    const announced = announcedTrailers(this.#options.request.rawHeaders);
    return httpRequest({
      ...{ method, path, maxHeaderSize: MAX_HEADERS },
      headers: [
        ...(headers as string[]),
        ...['Transfer-Encoding', 'chunked', 'Connection', 'close'],
        ...(announced.length === 0 ? [] : ['Trailer', announced.join(', ')]),
      ],
      createConnection: () => connection as never,
    });
  }

  async #sendBody(outgoing: ClientRequest): Promise<void> {
    try {
      for await (const part of this.#order.body as unknown as AsyncIterable<Buffer>) {
        if (outgoing.destroyed) return;
        if (!outgoing.write(part)) await room(outgoing);
        this.#silence?.refresh();
      }
      const trailers = await this.#options.trailers();
      if (outgoing.destroyed) return;
      if (trailers.length > 0) outgoing.addTrailers(trailers);
      outgoing.end();
      this.#silence?.refresh();
    } catch (error) {
      // The client has disconnected, has sent too much, or was answered before the end of its body.
      outgoing.destroy(error as Error);
    }
  }

  /** Fails when the app reads and sends nothing. A client that does not read, or sends no more of its body, may take longer. */
  #watch(controller: MutableController, outgoing: ClientRequest): void {
    const { timeoutMs } = this.#options;
    if (timeoutMs === 0) return;
    this.#silence = setTimeout(() => {
      const isItsTurn =
        controller.answer !== null || outgoing.writableEnded || outgoing.writableNeedDrain;
      if (isItsTurn && !controller.paused) controller.abort(new NoAnswerInTime());
      else this.#silence?.refresh();
    }, timeoutMs);
  }

  #answered(controller: MutableController, response: IncomingMessage): void {
    this.#silence?.refresh();
    controller.answer = response;
    controller.rawHeaders = response.rawHeaders;
    const { statusCode = 0, statusMessage } = response;
    try {
      if (statusCode < LOWEST_STATUS) throw new Error(`the status of the answer is ${statusCode}`);
      this.#handler.onResponseStart?.(controller, statusCode, response.headers, statusMessage);
    } catch (error) {
      controller.abort(error as Error);
      return;
    }
    response.on('data', (chunk: Buffer) => {
      this.#silence?.refresh();
      if (!this.#isOver) this.#handler.onResponseData?.(controller, chunk);
    });
    response.on('error', () => {});
    response.on('end', () => {
      if (!response.complete || this.#isOver) return;
      this.#over();
      controller.rawTrailers = response.rawTrailers;
      this.#handler.onResponseEnd?.(controller, response.trailers as never);
    });
  }

  #fail(controller: Controller | null, error: Error): void {
    if (this.#isOver) return;
    this.#over();
    this.#handler.onResponseError?.(controller as Controller, error);
  }

  #over(): void {
    this.#isOver = true;
    if (this.#silence !== null) clearTimeout(this.#silence);
    this.#silence = null;
  }

  #controllerOf(outgoing: ClientRequest): MutableController {
    const controller: MutableController = {
      ...{ aborted: false, paused: false, reason: null, answer: null },
      pause() {
        controller.paused = true;
        controller.answer?.pause();
      },
      resume: () => {
        controller.paused = false;
        this.#silence?.refresh();
        controller.answer?.resume();
      },
      abort: (reason: Error) => {
        controller.aborted = true;
        controller.reason = reason;
        outgoing.destroy(reason);
        // A connection that has closed emits no event.
        this.#fail(controller, reason);
      },
    } as MutableController;
    return controller;
  }
}

/** Node accepts any three digits. */
const LOWEST_STATUS = 200;

type MutableController = { -readonly [Key in keyof Controller]: Controller[Key] } & {
  answer: IncomingMessage | null;
  rawHeaders?: RawHeaders;
  rawTrailers?: RawHeaders;
};

/** Resolves when more can be written, or nothing can be any more. */
function room(outgoing: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      outgoing.off('drain', done);
      outgoing.off('close', done);
      resolve();
    };
    outgoing.on('drain', done);
    outgoing.on('close', done);
  });
}
