/** Sends one call of gRPC to a replica and its answer back, both as they arrive. */
import {
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { ConnectedReplica } from '../../replicas/known-replica.ts';
import { ConnectFailure } from '../../replicas/upstream-failure.ts';
import type { Sent } from '../delivery.ts';
import type { CallBody } from './call-body.ts';
import { answeredHeaders, headersOf } from './call-headers.ts';
import { httpStatusOf } from './grpc-status.ts';

export interface GrpcCall {
  readonly client: ServerHttp2Stream;
  readonly body: CallBody;
  readonly path: string;
  readonly authority: string;
  /** Names and values in turn. */
  readonly headers: readonly string[];
  readonly id: string;
  /** The replica begins to answer; its status, as that of HTTP, if it is known by then, else 200. */
  readonly onAnswer: (status: number) => void;
}

const CANCELLED = 499;
/** The trailers of a call whose replica has not sent any: UNAVAILABLE. */
const CUT = { 'grpc-status': '14', 'grpc-message': 'The replica has ended before the call' };

/** Never rejects. `value`: the status of the answer, as that of HTTP. On `failed` nothing was answered. */
export async function sendCall(replica: ConnectedReplica, call: GrpcCall): Promise<Sent<number>> {
  let taken: Awaited<ReturnType<ConnectedReplica['sessions']['take']>>;
  try {
    taken = await replica.sessions.take();
  } catch (error) {
    return { kind: 'failed', error: error as Error, unsent: error instanceof ConnectFailure };
  }
  try {
    // It may have been cancelled meanwhile.
    if (call.client.destroyed) return { kind: 'done', value: CANCELLED };
    const { 'content-length': _length, host: _host, ...headers } = headersOf(call.headers);
    const upstream = taken.http2.request({
      ...headers,
      ...{ ':method': 'POST', ':scheme': 'http', ':path': call.path },
      ...{ ':authority': call.authority, te: 'trailers' },
    });
    return await new Exchange(call, upstream).over;
  } catch (error) {
    // The connection has ended in this moment.
    return { kind: 'failed', error: error as Error, unsent: true };
  } finally {
    taken.release();
  }
}

class Exchange {
  readonly over: Promise<Sent<number>>;
  readonly #call: GrpcCall;
  readonly #upstream: ClientHttp2Stream;
  #end: (sent: Sent<number>) => void = () => {};
  #error: Error | null = null;
  #status: number | null = null;
  #trailers: IncomingHttpHeaders | null = null;

  constructor(call: GrpcCall, upstream: ClientHttp2Stream) {
    this.#call = call;
    this.#upstream = upstream;
    this.over = new Promise((resolve) => {
      this.#end = resolve;
    });
    upstream.on('error', (error) => {
      this.#error = error;
    });
    upstream.on('response', (headers, flags) => this.#answered(headers, flags));
    upstream.on('trailers', (trailers) => {
      this.#trailers = trailers;
    });
    upstream.on('close', () => this.#closed());
    call.client.on('close', this.#onCancel);
    call.body.sendTo(upstream);
  }

  #answered(headers: IncomingHttpHeaders, flags: number): void {
    const { client, body, id, onAnswer } = this.#call;
    if (client.destroyed) return;
    body.forget();
    const head = { ...answeredHeaders(headers), ':status': headers[':status'], 'x-request-id': id };
    const isAll = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    this.#status = isAll ? httpStatusOf(headers['grpc-status']) : 200;
    onAnswer(this.#status);
    client.respond(head, isAll ? { endStream: true } : { waitForTrailers: true });
    if (isAll) {
      this.#upstream.resume();
      return;
    }
    client.on('wantTrailers', () => {
      client.sendTrailers(answeredHeaders(this.#trailers ?? CUT));
    });
    this.#upstream.on('data', (chunk: Buffer) => {
      if (client.destroyed || client.write(chunk)) return;
      this.#upstream.pause();
      client.once('drain', () => this.#upstream.resume());
    });
    this.#upstream.on('end', () => {
      if (this.#trailers === null) return;
      this.#status = httpStatusOf(this.#trailers['grpc-status']);
      client.end();
    });
  }

  #closed(): void {
    const { client, body } = this.#call;
    client.off('close', this.#onCancel);
    body.stop();
    const { rstCode = 0 } = this.#upstream;
    if (client.destroyed) {
      this.#end({ kind: 'done', value: this.#status ?? CANCELLED });
      return;
    }
    if (this.#status === null) {
      const error = this.#error ?? new Error(`the call was ended with code ${rstCode}`);
      const isRefused = rstCode === constants.NGHTTP2_REFUSED_STREAM;
      this.#end({ kind: 'failed', error, unsent: isRefused && body.isComplete });
      return;
    }
    const isCut = !client.writableEnded;
    if (isCut) client.end();
    this.#end({ kind: 'done', value: isCut ? httpStatusOf(CUT['grpc-status']) : this.#status });
  }

  readonly #onCancel = (): void => {
    this.#upstream.close(constants.NGHTTP2_CANCEL);
  };
}
