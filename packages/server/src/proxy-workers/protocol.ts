/** Messages between the server and its proxy workers, besides those of every worker (`proxy/src/worker`). */
import type { Known, OriginPattern } from '@dstack/proxy';
import type { HostAccess } from '@dstack/store';

/**
 * Raised with every change after which a server and a worker of different builds do not understand each
 * other. `hello`, `spawn`, `drain` and `end` never change: by them a server replaces any worker.
 */
export const WORKER_PROTOCOL = 7;

/** Where clients connect; `url` is shown to people. */
export interface Address {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  /** Unix socket at which workers listen, where nginx has the address; null or missing = they listen at the address. */
  readonly behind?: string | null;
}

/** The first message of a worker. */
export interface Hello {
  readonly protocol: number;
  readonly build: string;
  readonly id: string;
  readonly pid: number;
  readonly address: Address;
  readonly isDraining: boolean;
}

/** A further worker on the same listening socket. The answer is its process id. */
export interface Spawn {
  readonly node: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly logPath: string;
}

/** A worker with this takes requests. */
export interface Sync extends Known<PushedHost> {
  readonly config: WorkerConfig;
  /** See `ProxyRouteDeps.generation`; later ones follow as messages. */
  readonly generation: string | null;
}

/** The answer to it; workers of earlier versions send none, and accept connections. */
export interface Synced {
  /** It accepts connections itself: it does not get those of the worker by which it was started. */
  readonly isAccepting: boolean;
}

export interface WorkerConfig {
  /** Unix socket for all requests that are not for services. */
  readonly serverSocket: string;
  readonly trustedProxies: readonly string[];
  /** Most connections of strangers that wait for a request. */
  readonly connections: number;
  /** Host names of services, and the public URL of the server; null: there are none. */
  readonly origins: { readonly pattern: OriginPattern; readonly serverUrl: string } | null;
  readonly timeoutMs: number;
  readonly maxBody: number;
  readonly maxHeld: number;
  /** How many workers there are. */
  readonly processes: number;
  readonly accessLogPart: number;
  readonly logLevel: string;
  readonly modelBodies: { readonly dir: string; readonly limit: number };
  readonly intake: {
    readonly memory: number;
    readonly pace: { readonly graceMs: number; readonly bytesPerSecond: number };
  };
  /** Tokens of the server's settings, which no app may receive. */
  readonly ownTokens: readonly string[];
  /** The server counts rate limits: there are several workers, or several servers. */
  readonly countsRatesInServer: boolean;
  /** Milliseconds without a server after which a worker without streams ends. */
  readonly lingerMs: number;
}

/** How a worker reaches the agent of a host. */
export type PushedHost =
  | { readonly kind: 'socket'; readonly path: string; readonly token: string }
  | {
      readonly kind: 'ssh';
      readonly access: Extract<HostAccess, { kind: 'ssh' }>;
      readonly hostKeys: Readonly<Record<string, string>>;
      readonly token: string;
    }
  /** Only the server has a connection. */
  | { readonly kind: 'server' };
