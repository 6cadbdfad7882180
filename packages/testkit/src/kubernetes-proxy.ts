/**
 * A proxy in front of the API server of a test cluster: clients need no credentials, and requests can
 * fail on the way as they do in real clusters.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Agent, request as send } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { json } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';

/** A fault that the proxy causes for a request. */
export type ApiFault =
  /** The proxy answers; the API server receives nothing. */
  | { readonly answer: number; readonly reason?: string; readonly retryAfterSeconds?: number }
  /** An event of this status ends a watch after its first bytes, as for a version that is too old. */
  | { readonly watchError: number }
  /** The API server receives the request this much later. */
  | { readonly delayMs: number }
  /** The connection is cut before the API server receives the request, or before its answer. */
  | { readonly cut: 'request' | 'answer' };

export interface ApiRequest {
  readonly method: string;
  readonly path: string;
  readonly isWatch: boolean;
}

export interface ApiProxy extends AsyncDisposable {
  readonly url: string;
  /** Text of a kubeconfig whose one context leads to the proxy. */
  readonly kubeconfig: string;
  /** Chooses the fault of each request; null = none. */
  fault: (request: ApiRequest) => ApiFault | null;
  /** Changes each pod that is created, as admission webhooks do; null = none does. */
  admit: ((pod: object) => object) | null;
  /** Requests that met each fault, by its name. */
  readonly counts: ReadonlyMap<string, number>;
  /** Cuts all connections, also those of watches and tunnels. */
  cutAll(): void;
}

export async function startApiProxy(options: {
  readonly kubeconfig: string;
  readonly context: string;
}): Promise<ApiProxy> {
  const { server: target, ...credentials } = accessOf(options.kubeconfig);
  const agent = new Agent({ keepAlive: true, ...credentials });
  const sockets = new Set<Duplex>();
  const counts = new Map<string, number>();
  const proxy = createServer((request, response) => {
    void answer(request, response).catch(() => response.destroy());
  });
  proxy.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  proxy.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const url = new URL(request.url ?? '', target);
    const headers = { ...request.headers, host: target.host };
    const upstream = send(url, { headers, agent: new Agent(credentials) });
    upstream.on('error', () => socket.destroy());
    socket.on('error', () => upstream.destroy());
    upstream.on('response', (refused) => {
      socket.write(`HTTP/1.1 ${refused.statusCode} refused\r\nconnection: close\r\n\r\n`);
      refused.pipe(socket);
    });
    upstream.on('upgrade', (accepted, there, first) => {
      const lines = accepted.rawHeaders.map((text, at) => (at % 2 ? `${text}\r\n` : `${text}: `));
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('')}\r\n`);
      socket.write(first);
      there.write(head);
      there.pipe(socket).pipe(there);
      for (const [from, to] of [
        [there, socket],
        [socket, there],
      ] as const) {
        from.on('error', () => to.destroy());
        from.on('close', () => to.destroy());
      }
    });
    upstream.end();
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const to = new URL(request.url ?? '', target);
    const isWatch = to.searchParams.has('watch');
    const { method = 'GET' } = request;
    const fault = made.fault({ method, path: to.pathname, isWatch });
    if (fault) {
      const name = Object.entries(fault)[0]?.join(' ') ?? '';
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    if (fault && 'answer' in fault) return refuse(request, response, fault);
    if (fault && 'delayMs' in fault) await delay(fault.delayMs);
    if (fault && 'cut' in fault && fault.cut === 'request') return cut(request);
    const isNewPod = method === 'POST' && to.pathname.endsWith('/pods');
    const admitted = made.admit && isNewPod ? made.admit((await json(request)) as object) : null;
    const body = admitted && Buffer.from(JSON.stringify(admitted));
    const upstream = send(to, {
      method,
      headers: {
        ...{ ...request.headers, host: target.host },
        ...(body ? { 'content-length': body.length } : {}),
      },
      agent,
    });
    response.on('close', () => upstream.destroy());
    if (body) upstream.end(body);
    else request.pipe(upstream);
    const [answered] = (await once(upstream, 'response')) as [IncomingMessage];
    if (fault && 'cut' in fault) return cut(request);
    response.writeHead(answered.statusCode ?? 500, answered.headers);
    response.flushHeaders();
    if (fault && 'watchError' in fault) {
      const object = { kind: 'Status', code: fault.watchError, metadata: {}, message: 'injected' };
      response.end(`${JSON.stringify({ type: 'ERROR', object })}\n`);
      return;
    }
    answered.on('error', () => response.destroy());
    answered.on('aborted', () => response.destroy());
    answered.pipe(response);
  }

  const made: ApiProxy = {
    ...{ url, counts, kubeconfig: kubeconfigOf(options.context, url) },
    fault: () => null,
    admit: null,
    cutAll: () => {
      for (const socket of sockets) socket.destroy();
    },
    [Symbol.asyncDispose]: async () => {
      made.cutAll();
      agent.destroy();
      proxy.close();
    },
  };
  return made;
}

function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  fault: Extract<ApiFault, { readonly answer: number }>,
): void {
  const { answer: code, reason = '', retryAfterSeconds } = fault;
  request.resume();
  response.setHeader('content-type', 'application/json');
  if (retryAfterSeconds !== undefined) response.setHeader('retry-after', retryAfterSeconds);
  response.writeHead(code);
  response.end(JSON.stringify({ kind: 'Status', code, reason, message: 'injected by the test' }));
}

function cut(request: IncomingMessage): void {
  request.socket.destroy();
}

function accessOf(file: string) {
  const text = readFileSync(file, 'utf8');
  const value = (name: string) => {
    const found = new RegExp(`${name}: (\\S+)`).exec(text)?.[1];
    if (!found) throw new Error(`the kubeconfig ${file} has no ${name}`);
    return found;
  };
  const pem = (name: string) => Buffer.from(value(name), 'base64');
  return {
    server: new URL(value('server')),
    ca: pem('certificate-authority-data'),
    cert: pem('client-certificate-data'),
    key: pem('client-key-data'),
  };
}

function kubeconfigOf(context: string, url: string): string {
  return JSON.stringify({
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': context },
    clusters: [{ name: context, cluster: { server: url } }],
    users: [{ name: 'test', user: {} }],
    contexts: [{ name: context, context: { cluster: context, user: 'test' } }],
  });
}
