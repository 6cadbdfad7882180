/**
 * Connections to agents that are reached over something expensive to open, such as a forwarded
 * port: one HTTP/2 connection per agent carries all connections of this server to it.
 */
import { type ClientHttp2Session, connect } from 'node:http2';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { NoAnswerError } from './errors.ts';

const STREAM_WINDOW = 1024 * 1024;
const CONNECTION_WINDOW = 16 * STREAM_WINDOW;
const LIMIT_MS = 20_000;
/** A tunnel that carries nothing is checked, so that a dead one is noticed. */
const PING_MS = 15_000;
/** A container that has just started needs this long at most until its agent listens. */
const START_MS = 5000;
/** Each attempt costs the way between more than a listener here, so the pauses grow with the wait. */
const START_PAUSE_MS = 50;
const MAX_START_PAUSE_MS = 300;
/**
 * While this many agents are awaited, the machines of most of them are too busy to start one at once: their
 * ports are tried after a report, or once in so many milliseconds.
 */
const CROWD = 4;
const CROWD_PAUSE_MS = 1000;
/** A connection that was prepared is used within milliseconds, unless another server has the host. */
const UNUSED_MS = 10_000;
const OK = 200;
const MAX_DROPPED = 10_000;

export interface TunnelTarget {
  /** The same for all connections to one agent. */
  readonly key: string;
  /** For messages: `pod dstack-main-train-0`. */
  readonly what: string;
  /** Opens what carries the HTTP/2 connection. */
  readonly open: () => Promise<Duplex>;
  /**
   * True once the agent has reported that it listens, which saves attempts at its port until then; false if
   * there is no such report now. Omitted: there never is.
   */
  readonly listens?: () => Promise<boolean>;
}

export class AgentTunnels {
  readonly #sessions = new Map<string, Promise<ClientHttp2Session>>();
  /** Keys of agents that have answered. */
  readonly #reached = new Set<string>();
  /** Keys of instances that were released: a connection to one that is ending could wait for long. */
  readonly #dropped = new Set<string>();
  /** Connections that wait for the first answer of an agent, by its key. */
  readonly #awaited = new Map<string, number>();
  /** Reports that connections wait for, by key. */
  readonly #reports = new Map<string, Promise<boolean>>();

  /** The first connection waits for an agent that is just starting. */
  async dial(target: TunnelTarget, token: string): Promise<Duplex> {
    const { key } = target;
    if (this.#reached.has(key)) return await this.#dial(target, token);
    this.#awaited.set(key, (this.#awaited.get(key) ?? 0) + 1);
    try {
      return await this.#dial(target, token);
    } finally {
      const others = (this.#awaited.get(key) ?? 1) - 1;
      if (others > 0) this.#awaited.set(key, others);
      else this.#awaited.delete(key);
    }
  }

  async #dial(target: TunnelTarget, token: string): Promise<Duplex> {
    const { key } = target;
    const since = performance.now();
    const until = since + (this.#reached.has(key) ? 0 : START_MS);
    let isReported = this.#reached.has(key);
    for (;;) {
      if (!isReported) isReported = await this.#reportInCrowd(target);
      try {
        const session = await this.#session(target);
        this.#reached.add(key);
        return await connection(session, target.what, token);
      } catch (error) {
        if (this.#dropped.has(key)) throw error;
        // Once: a report does not come true later.
        if (!isReported) {
          isReported = await this.#listens(target);
          if (isReported) continue;
        }
        if (performance.now() >= until) throw error;
        const pause = START_PAUSE_MS + (performance.now() - since) / 4;
        await delay(Math.min(MAX_START_PAUSE_MS, pause));
      }
    }
  }

  /** Opens the tunnel to an agent that listens, while its first connection is still being decided on. */
  prepare(target: TunnelTarget): void {
    const { key } = target;
    if (this.#reached.has(key) || this.#sessions.has(key)) return;
    this.#session(target).then(
      (session) => {
        const end = () => this.#reached.has(key) || session.destroy();
        const unused = setTimeout(end, UNUSED_MS).unref();
        session.once('close', () => clearTimeout(unused));
      },
      // The first connection makes another attempt.
      () => {},
    );
  }

  /** Ends the tunnel to an agent that is being ended. */
  drop(key: string): void {
    const session = this.#sessions.get(key);
    this.#sessions.delete(key);
    this.#dropped.add(key);
    this.#reached.delete(key);
    const [oldest] = this.#dropped;
    if (this.#dropped.size > MAX_DROPPED && oldest !== undefined) this.#dropped.delete(oldest);
    session?.then(
      (known) => known.destroy(),
      () => {},
    );
  }

  close(): void {
    for (const session of this.#sessions.values()) {
      session.then(
        (known) => known.destroy(),
        () => {},
      );
    }
    this.#sessions.clear();
  }

  /** False at once if few agents are awaited: an attempt is quicker than its report. */
  async #reportInCrowd(target: TunnelTarget): Promise<boolean> {
    const { key, listens } = target;
    const until = performance.now() + CROWD_PAUSE_MS;
    while (listens && this.#awaited.size >= CROWD && !this.#dropped.has(key)) {
      if (this.#sessions.has(key)) return false;
      if (await this.#listens(target)) return true;
      if (performance.now() >= until) return false;
      await delay(MAX_START_PAUSE_MS / 2);
    }
    return false;
  }

  #listens({ key, listens }: TunnelTarget): Promise<boolean> {
    if (!listens) return Promise.resolve(false);
    const known = this.#reports.get(key);
    if (known) return known;
    const report = listens().finally(() => this.#reports.delete(key));
    this.#reports.set(key, report);
    return report;
  }

  #session(target: TunnelTarget): Promise<ClientHttp2Session> {
    const { key, what } = target;
    const known = this.#sessions.get(key);
    if (known) return known;
    if (this.#dropped.has(key)) return Promise.reject(new NoAnswerError(`${what} was released`));
    const forget = () => {
      if (this.#sessions.get(key) === made) this.#sessions.delete(key);
    };
    const made = openSession(target, forget);
    this.#sessions.set(key, made);
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
  // Its end may be reported late, or never: the close waits for writes that no peer receives.
  const giveUp = () => {
    clearInterval(alive);
    session.destroy();
    stream.destroy();
    onClose();
  };
  const alive = setInterval(() => {
    // A session that has ended cannot be pinged.
    if (session.destroyed) return giveUp();
    const late = setTimeout(giveUp, PING_MS).unref();
    session.ping((error) => {
      clearTimeout(late);
      if (error) giveUp();
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
    const fail = (error?: Error | null) => {
      clearTimeout(limit);
      reject(new NoAnswerError(error?.message ?? `${what}: the agent does not listen yet`));
      session.destroy();
    };
    // A session over a stream that has just ended reports nothing.
    const limit = setTimeout(() => fail(new Error(`${what}: no answer`)), LIMIT_MS);
    stream.once('error', fail);
    stream.once('close', () => fail());
    session.on('error', fail);
    session.once('close', () => fail());
    session.once('remoteSettings', () => {
      clearTimeout(limit);
      resolve();
    });
    if (stream.destroyed) fail(stream.errored);
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
