import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/** Whoever waits for an answer: gone once it is closed. */
export type Client = ServerResponse | Duplex;

/** Somebody who was let into a service that does not take everybody. */
export interface ServiceCaller {
  /** Of the user, also where a program acts in their name. */
  readonly name: string;
  /** To be called when they have got what they came for. */
  leave(): void;
}

/**
 * Lets somebody in and calls `end` if their access is taken from them before they leave. Rejects
 * with `ProxyRefusal` if they may not use services of the project.
 */
export type Admit = (
  project: string,
  request: IncomingMessage,
  end: () => void,
) => Promise<ServiceCaller>;
