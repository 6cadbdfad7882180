/**
 * Connections to agents that are reached over something expensive to open, such as a forwarded
 * port: one HTTP/2 connection per agent carries all connections of this server to it.
 */
import { type ClientHttp2Session, connect } from 'node:http2';
import type { Duplex } from 'node:stream';
import { NoAnswerError } from './errors.ts';

const STREAM_WINDOW = 1024 * 1024;
const CONNECTION_WINDOW = 16 * STREAM_WINDOW;
const LIMIT_MS = 20_000;
/** A tunnel that carries nothing is checked, so that a dead one is noticed. */
const PING_MS = 15_000;
const OK = 200;

export interface TunnelTarget {
  /** The same for all connections to one agent. */
  readonly key: string;
  /** For messages: `pod dstack-main-train-0`. */
  readonly what: string;
  /** Opens what carries the HTTP/2 connection. */
  readonly open: () => Promise<Duplex>;
}

export class AgentTunnels {
  readonly #sessions = new Map<string, Promise<ClientHttp2Session>>();

  async dial(target: TunnelTarget, token: string): Promise<Duplex> {
    return await connection(await this.#session(target), target.what, token);
  }

  /** Ends the tunnel to an agent that is being ended. */
  drop(key: string): void {
    const session = this.#sessions.get(key);
    this.#sessions.delete(key);
    session?.then(
      (known) => known.destroy(),
      () => {},
    );
  }

  close(): void {
    for (const key of [...this.#sessions.keys()]) this.drop(key);
  }

  #session(target: TunnelTarget): Promise<ClientHttp2Session> {
    const known = this.#sessions.get(target.key);
    if (known) return known;
    const forget = () => {
      if (this.#sessions.get(target.key) === made) this.#sessions.delete(target.key);
    };
    const made = openSession(target, forget);
    this.#sessions.set(target.key, made);
    made.catch(forget);
    return made;
  }
}

async function openSession(target: TunnelTarget, onClose: () => void): Promise<ClientHttp2Session> {
  const stream = await target.open();
  stream.on('error', () => {});
  const session = connect('http://agent', {
    createConnection: () => stream,
    settings: { initialWindowSize: STREAM_WINDOW, enablePush: false },
  });
  const alive = setInterval(() => {
    const late = setTimeout(() => session.destroy(), PING_MS).unref();
    session.ping((error) => {
      clearTimeout(late);
      if (error) session.destroy();
    });
  }, PING_MS).unref();
  session.on('close', () => {
    clearInterval(alive);
    stream.destroy();
    onClose();
  });
  await connected(session, stream, target.what);
  session.setLocalWindowSize(CONNECTION_WINDOW);
  return session;
}

/** The agent has answered with its settings: until then the port may have no listener. */
function connected(session: ClientHttp2Session, stream: Duplex, what: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const limit = setTimeout(() => session.destroy(new Error('no answer')), LIMIT_MS).unref();
    const fail = (error?: Error) => {
      clearTimeout(limit);
      session.destroy();
      reject(new NoAnswerError(error?.message ?? `${what}: the agent does not listen yet`));
    };
    stream.once('error', fail);
    session.once('error', fail);
    session.once('close', fail);
    session.once('remoteSettings', () => {
      clearTimeout(limit);
      session.off('close', fail);
      session.on('error', () => {});
      resolve();
    });
  });
}

function connection(session: ClientHttp2Session, what: string, token: string): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const request = session.request(
      { ':method': 'CONNECT', ':authority': 'agent', authorization: `Bearer ${token}` },
      { endStream: false },
    );
    request.setTimeout(LIMIT_MS, () => request.destroy(new Error('no answer')));
    request.once('error', reject);
    request.once('close', () => reject(new NoAnswerError(`the agent of ${what} refused it`)));
    request.once('response', ({ ':status': status }) => {
      request.setTimeout(0);
      if (status !== OK) {
        request.destroy();
        return reject(new NoAnswerError(`the agent of ${what} answered ${status}`));
      }
      request.off('error', reject);
      resolve(request);
    });
  });
}
