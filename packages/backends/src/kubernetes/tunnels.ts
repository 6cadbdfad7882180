/**
 * Connections to the agents of pods: one forwarded port per pod, over which HTTP/2 carries all
 * connections of this server to that agent.
 */
import { type ClientHttp2Session, connect } from 'node:http2';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { NoAnswerError } from '../base/errors.ts';
import { ChannelStream, opened } from './api/channel-socket.ts';
import type { KubeClient } from './api/client.ts';
import { TUNNEL_PORT } from './pod-agent.ts';

const PROTOCOL = 'v4.channel.k8s.io';
const DATA = 0;
const ERROR = 1;
/** Each channel begins with the port, in two bytes. */
const PORT_BYTES = 2;
const STREAM_WINDOW = 1024 * 1024;
const CONNECTION_WINDOW = 16 * STREAM_WINDOW;
const LIMIT_MS = 20_000;
/** A forwarded port that carries nothing is checked, so that a dead one is noticed. */
const PING_MS = 15_000;
/** A container that has just started needs this long at most until its agent listens. */
const START_MS = 5000;
const START_PAUSE_MS = 50;
const OK = 200;
const MAX_DROPPED = 10_000;

export interface TunnelTarget {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly pod: string;
}

export class Tunnels {
  readonly #sessions = new Map<string, Promise<ClientHttp2Session>>();
  /** Pods whose agents have answered. */
  readonly #reached = new Set<string>();
  /** Pods that were released: a connection to one that is ending could wait for long. */
  readonly #dropped = new Set<string>();

  /** The first connection waits for an agent that is just starting. */
  async dial(target: TunnelTarget, token: string): Promise<Duplex> {
    const key = keyOf(target.client, target.namespace, target.pod);
    const until = Date.now() + (this.#reached.has(key) ? 0 : START_MS);
    for (;;) {
      try {
        const session = await this.#session(target);
        this.#reached.add(key);
        return await connection(session, target.pod, token);
      } catch (error) {
        if (Date.now() >= until || this.#dropped.has(key)) throw error;
        await delay(START_PAUSE_MS);
      }
    }
  }

  /** Ends the forwarded port of a pod that is being deleted. */
  drop({ client, namespace, pod }: TunnelTarget): void {
    const key = keyOf(client, namespace, pod);
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

  #session({ client, namespace, pod }: TunnelTarget): Promise<ClientHttp2Session> {
    const key = keyOf(client, namespace, pod);
    const known = this.#sessions.get(key);
    if (known) return known;
    if (this.#dropped.has(key)) return Promise.reject(new NoAnswerError(`pod ${pod} was released`));
    const forget = () => {
      if (this.#sessions.get(key) === made) this.#sessions.delete(key);
    };
    const made = openSession({ client, namespace, pod }, forget);
    this.#sessions.set(key, made);
    made.catch(forget);
    return made;
  }
}

function keyOf(client: KubeClient, namespace: string, pod: string): string {
  return `${client.access.context}/${namespace}/${pod}`;
}

async function openSession(
  { client, namespace, pod }: TunnelTarget,
  onClose: () => void,
): Promise<ClientHttp2Session> {
  const what = `port-forward to pod ${pod}`;
  const path = `/api/v1/namespaces/${namespace}/pods/${pod}/portforward`;
  const socket = await client.socket(path, [['ports', String(TUNNEL_PORT)]], [PROTOCOL]);
  // Before the WebSocket is open: its first messages may come with the answer that opens it.
  const stream = new ChannelStream({ socket, what, data: DATA, error: ERROR, skip: PORT_BYTES });
  stream.on('error', () => {});
  await opened(socket, what);
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
  await connected(session, stream, what);
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

function connection(session: ClientHttp2Session, pod: string, token: string): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const request = session.request(
      { ':method': 'CONNECT', ':authority': 'agent', authorization: `Bearer ${token}` },
      { endStream: false },
    );
    request.setTimeout(LIMIT_MS, () => request.destroy(new Error('no answer')));
    request.once('error', reject);
    request.once('close', () => reject(new NoAnswerError(`the agent of pod ${pod} refused it`)));
    request.once('response', ({ ':status': status }) => {
      request.setTimeout(0);
      if (status !== OK) {
        request.destroy();
        return reject(new NoAnswerError(`the agent of pod ${pod} answered ${status}`));
      }
      request.off('error', reject);
      resolve(request);
    });
  });
}
