import { type ClientHttp2Session, connect } from 'node:http2';
import type { Duplex } from 'node:stream';
import { ConnectFailure } from './upstream-failure.ts';

export interface ReplicaSessionsOptions {
  readonly open: () => Promise<Duplex>;
  /** The port of the app, for error messages. */
  readonly port: number;
  /** How long a connection without calls is kept, in milliseconds. */
  readonly idleMs?: number;
}

interface Session {
  readonly http2: ClientHttp2Session;
  calls: number;
  /** Closes it unless a call begins. */
  idle: NodeJS.Timeout | null;
}

/** Less than after what firewalls between hosts usually forget a connection. */
const IDLE_MS = 60_000;

/** Time for the app to answer the beginning of a connection. */
const SETTINGS_MS = 10_000;
const WINDOW = 1024 * 1024;

/** The HTTP/2 connections to one replica; each carries as many calls at once as the app allows. */
export class ReplicaSessions {
  readonly #options: ReplicaSessionsOptions;
  readonly #sessions = new Set<Session>();
  #opening: Promise<Session> | null = null;

  constructor(options: ReplicaSessionsOptions) {
    this.#options = options;
  }

  /** A connection for one call; call `release` when it is over. Rejects with `ConnectFailure`. */
  async take(): Promise<{ readonly http2: ClientHttp2Session; readonly release: () => void }> {
    for (;;) {
      const session = [...this.#sessions].find(hasRoom) ?? (await this.#opened());
      if (!hasRoom(session)) {
        // Other calls that waited for it may have filled it.
        if (session.calls > 0) continue;
        session.http2.destroy();
        throw new ConnectFailure(this.#options.port, new Error('it allows no calls'));
      }
      session.calls += 1;
      if (session.idle !== null) clearTimeout(session.idle);
      session.idle = null;
      return { http2: session.http2, release: () => this.#release(session) };
    }
  }

  close(): void {
    for (const { http2 } of this.#sessions) http2.close();
  }

  destroy(): void {
    for (const { http2 } of this.#sessions) http2.destroy();
  }

  #release(session: Session): void {
    session.calls -= 1;
    if (session.calls > 0) return;
    const { idleMs = IDLE_MS } = this.#options;
    session.idle = setTimeout(() => session.http2.close(), idleMs).unref();
  }

  #opened(): Promise<Session> {
    this.#opening ??= this.#open().finally(() => {
      this.#opening = null;
    });
    return this.#opening;
  }

  async #open(): Promise<Session> {
    const { open, port } = this.#options;
    let socket: Duplex;
    try {
      socket = await open();
    } catch (error) {
      throw new ConnectFailure(port, error);
    }
    const http2 = connect('http://replica', {
      createConnection: () => socket as never,
      settings: { enablePush: false, initialWindowSize: WINDOW },
    });
    const session: Session = { http2, calls: 0, idle: null };
    const drop = () => {
      if (session.idle !== null) clearTimeout(session.idle);
      this.#sessions.delete(session);
    };
    // The app closes the connection: calls that have begun go on, no new ones.
    http2.on('goaway', drop);
    http2.on('close', () => {
      drop();
      socket.destroy();
    });
    socket.once('close', () => http2.destroy());
    await new Promise<void>((resolve, reject) => {
      const text = `it has not answered as HTTP/2 within ${SETTINGS_MS / 1000} s`;
      const limit = setTimeout(() => fail(new Error(text)), SETTINGS_MS);
      const fail = (error: Error) => {
        clearTimeout(limit);
        http2.destroy();
        reject(new ConnectFailure(port, error));
      };
      http2.on('error', fail);
      http2.once('close', () => fail(new Error('it closed the connection: it may not be HTTP/2')));
      http2.once('remoteSettings', () => {
        clearTimeout(limit);
        resolve();
      });
    });
    http2.setLocalWindowSize(WINDOW);
    this.#sessions.add(session);
    return session;
  }
}

function hasRoom({ http2, calls }: Session): boolean {
  if (http2.closed || http2.destroyed) return false;
  return calls < (http2.remoteSettings.maxConcurrentStreams ?? Number.POSITIVE_INFINITY);
}
