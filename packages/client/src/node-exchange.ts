import type { Agent, IncomingMessage, RequestOptions } from 'node:http';
import { SESSION_KEY_HEADER } from '@dstack/contract/session-key';
import type { Exchange, HttpRequest } from './exchange.ts';

/** The scheme of a server that listens on a unix socket, as the official clients write it. */
const UNIX_SCHEME = 'http+unix://';
const MAX_REDIRECTS = 5;

/**
 * An {@link Exchange} on `node:http`, which is loaded with the first request: loading it costs more
 * than everything else in a short command. Connections are kept alive and reused.
 */
export function nodeExchange(): Exchange {
  const agents = new Map<string, Agent>();
  return async (request) => {
    let current = request;
    for (let hop = 0; ; hop += 1) {
      const response = await send(current, agents);
      const next = redirectOf(current, response);
      if (next === null || hop === MAX_REDIRECTS) {
        return {
          status: response.statusCode ?? 0,
          headers: flatten(response.headers),
          body: response,
        };
      }
      response.resume();
      current = next;
    }
  };
}

async function send(request: HttpRequest, agents: Map<string, Agent>): Promise<IncomingMessage> {
  const target = targetOf(request.url);
  const secure = target.protocol === 'https:';
  // Not by `import`: that reads every export, and `WebSocket` of node:http loads a client of its own.
  const http = process.getBuiltinModule(secure ? 'node:https' : 'node:http');
  const agent = agents.get(target.protocol) ?? new http.Agent({ keepAlive: true });
  agents.set(target.protocol, agent);
  const options: RequestOptions = {
    ...target.options,
    method: request.method,
    headers: { ...request.headers, 'content-length': String(request.body?.byteLength ?? 0) },
    signal: request.signal,
    agent,
  };
  return new Promise((resolve, reject) => {
    const outgoing = http.request(options, resolve);
    outgoing.on('error', (error) => reject(request.signal.aborted ? request.signal.reason : error));
    outgoing.end(request.body ?? undefined);
  });
}

interface Target {
  readonly protocol: 'http:' | 'https:';
  readonly options: RequestOptions;
}

function targetOf(url: string): Target {
  if (url.startsWith(UNIX_SCHEME)) {
    const rest = url.slice(UNIX_SCHEME.length);
    const slash = rest.indexOf('/');
    const socket = slash < 0 ? rest : rest.slice(0, slash);
    const path = slash < 0 ? '/' : rest.slice(slash);
    return { protocol: 'http:', options: { socketPath: decodeURIComponent(socket), path } };
  }
  const parsed = new URL(url);
  if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:') {
    throw new TypeError(`Unsupported scheme in server URL: ${url}`);
  }
  const host = parsed.hostname.replace(/^\[(.*)\]$/, '$1');
  return {
    protocol: parsed.protocol,
    options: {
      host,
      path: parsed.pathname + parsed.search,
      ...(parsed.port ? { port: Number(parsed.port) } : {}),
    },
  };
}

/** Only 307 and 308 keep method and body; 301 and 302 would turn a POST into a GET. */
function redirectOf(request: HttpRequest, response: IncomingMessage): HttpRequest | null {
  const location = response.headers.location;
  const status = response.statusCode ?? 0;
  if (location === undefined || (status !== 307 && status !== 308)) return null;
  if (request.url.startsWith(UNIX_SCHEME)) return null;
  const url = new URL(location, request.url);
  const headers = { ...request.headers };
  // Credentials must only be sent to the server that issued them.
  if (url.origin !== new URL(request.url).origin) {
    delete headers.authorization;
    delete headers[SESSION_KEY_HEADER];
  }
  return { ...request, url: url.href, headers };
}

function flatten(headers: IncomingMessage['headers']): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return flat;
}
