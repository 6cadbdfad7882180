import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { OriginSession } from '../values.ts';

/** Where the response goes; closed once the client has disconnected. */
export type ClientConnection = ServerResponse | Duplex;

/** The user and the project of a caller. */
export interface CallerAccount {
  readonly userId: string;
  readonly projectId: string;
}

/** A user who was admitted to a service with `auth: true`. */
export interface ServiceCaller {
  /** Name of the user, also if a program acts on their behalf. */
  readonly name: string;
  /** Null: only the name is known. */
  readonly account?: CallerAccount | null;
  /** Not by the header `Authorization`, which may belong to the app. */
  readonly isSession?: boolean;
  /** Names of the runs that a program's token is limited to; null = all of the project. */
  readonly services: readonly string[] | null;
  /** When their access ends, in microseconds since the epoch; null = not by itself. */
  readonly expiresAt?: number | null;
  /** Call it when the request is over. */
  release(): void;
}

/**
 * Admits the caller of a request, and calls `onRevoked` if their access is revoked before `release`.
 * Rejects with `ProxyRefusal` if they may not use services of the project. `session`: the proof of the
 * caller, instead of the header `Authorization`.
 */
export type Admit = (
  project: string,
  request: IncomingMessage,
  onRevoked: () => void,
  session?: OriginSession | null,
) => Promise<ServiceCaller>;
