/** Requests that are sent to services, and those of clients for which they are sent. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import type { Duplex, Readable } from 'node:stream';

/** A request to a path of a service. */
export interface Question {
  readonly path: string;
  /** A function is called for each try. */
  readonly body: string | (() => Readable);
  /** Bytes of the body. */
  readonly length?: number;
  /** JSON by default. */
  readonly contentType?: string;
  /** The id of the request. */
  readonly id: string;
  /** Name of the caller. */
  readonly user: string;
  /** Aborts the request when it closes. */
  readonly client: ServerResponse;
  /** Whether to wait for replicas that will soon be reachable, see `Order`; true by default. */
  readonly isPatient?: boolean;
}

export interface ForwardedRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly id: string;
}

export interface UpgradedRequest {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** Bytes that the client has already sent after the request. */
  readonly head: Buffer;
  readonly id: string;
}

/** A call of gRPC. */
export interface CalledRequest {
  /** The head of the call. */
  readonly request: IncomingMessage;
  readonly stream: ServerHttp2Stream;
  readonly id: string;
}
