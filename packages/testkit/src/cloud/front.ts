/** The HTTP server in front of an account: faults, authentication, limits, then the personality. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { CloudAccount } from './account.ts';
import { parsedBody } from './bodies.ts';
import { CallLimits } from './call-limits.ts';
import type { CloudCalls } from './calls.ts';
import type { CloudRoute, Personality } from './personality.ts';
import { Refusal } from './refusal.ts';
import type { CloudAnswer, CloudRequest } from './request.ts';

/** A request as it arrived, and how it was answered. */
export interface CloudLogEntry {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly body: unknown;
  /** Null: the client got no answer. */
  readonly status: number | null;
  /** In µs of the account's clock. */
  readonly at: number;
}

export interface CloudApiOptions {
  readonly personality: Personality;
  readonly account: CloudAccount;
  readonly calls: CloudCalls;
  readonly apiKey: string;
  /** Whether the provider's limits on calls hold. */
  readonly hasLimits: boolean;
}

export interface FrontOptions extends CloudApiOptions {
  readonly host: string;
}

export interface CloudFront {
  readonly url: string;
  readonly log: readonly CloudLogEntry[];
  close(): Promise<void>;
}

/** The API of an account, without a connection to it. */
export interface CloudApi {
  /** `url`: where clients reach the API. Null: the connection ends without an answer. */
  answer(request: CloudRequest, url: string): Promise<CloudAnswer | null>;
  readonly log: readonly CloudLogEntry[];
}

export function cloudApi({ personality, account, calls, ...options }: CloudApiOptions): CloudApi {
  const log: CloudLogEntry[] = [];
  const limits = new CallLimits(account.clock, options.hasLimits ? personality.limits : []);

  async function answerTo(request: CloudRequest, url: string): Promise<CloudAnswer | null> {
    try {
      if (!personality.authenticates(request, options.apiKey)) {
        throw new Refusal('credentials', 'the key is not that of the account');
      }
      const isBare = account.faults().bareRateLimit;
      const refused = limits.admit(request);
      if (refused !== null) {
        const retryAfterSeconds = isBare ? null : refused.waitSeconds;
        throw new Refusal('too_many_calls', 'too many calls', { retryAfterSeconds });
      }
      return await calls.carryOut(() => routed(request, url));
    } catch (error) {
      return refusedBy(error, request);
    }
  }

  async function routed(request: CloudRequest, url: string): Promise<CloudAnswer> {
    try {
      const { route, params } = routeOf(personality.routes, request);
      return await route.answer({ ...request, params, account, url });
    } catch (error) {
      return refusedBy(error, request);
    }
  }

  function refusedBy(error: unknown, request: CloudRequest): CloudAnswer {
    if (error instanceof Refusal) return personality.refuse(error, request);
    // A fault of the simulator itself: tests must see where.
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { status: 599, body: { simulator: message } };
  }

  return {
    log,
    answer: async (request, url) => {
      const answer = await answerTo(request, url);
      const path = request.query.size > 0 ? `${request.path}?${request.query}` : request.path;
      const { method, body } = request;
      log.push({ method, path, body, status: answer?.status ?? null, at: account.clock.now });
      if (answer === null) return null;
      const date = new Date(account.clock.now / 1000).toUTCString();
      const headers = { date, ...personality.headers?.(limits.allowance), ...answer.headers };
      return { ...answer, headers };
    },
  };
}

export async function startFront(options: FrontOptions): Promise<CloudFront> {
  const api = cloudApi(options);
  const server = createServer((incoming, response) => {
    void serve(incoming, response).catch(() => response.destroy());
  });
  server.listen(0, options.host);
  await once(server, 'listening');
  const url = `http://${options.host}:${(server.address() as AddressInfo).port}`;

  async function serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const answer = await api.answer(await requestOf(incoming), url);
    if (answer === null) {
      response.destroy();
      return;
    }
    if (answer.text !== undefined) {
      response.writeHead(answer.status, answer.headers).end(answer.text);
      return;
    }
    if (answer.body === null) {
      response.writeHead(answer.status, answer.headers).end();
      return;
    }
    const type = { 'content-type': 'application/json; charset=utf-8' };
    const headers = { ...type, ...answer.headers };
    response.writeHead(answer.status, headers).end(JSON.stringify(answer.body));
  }

  return {
    url,
    log: api.log,
    close: async () => {
      server.close();
      server.closeAllConnections();
      if (server.listening) await once(server, 'close');
    },
  };
}

async function requestOf(incoming: IncomingMessage): Promise<CloudRequest> {
  const { pathname: path, searchParams: query } = new URL(incoming.url ?? '', 'http://front');
  const { method = 'GET', headers } = incoming;
  const sent = await text(incoming);
  return { method, path, query, headers, body: parsedBody(sent, headers['content-type']) };
}

function routeOf(routes: readonly CloudRoute[], { method, path }: CloudRequest) {
  const parts = path.split('/');
  for (const route of routes) {
    const params = route.method === method ? paramsOf(route.path.split('/'), parts) : null;
    if (params) return { route, params };
  }
  throw new Refusal('not_found', `no such path: ${method} ${path}`, { what: path });
}

function paramsOf(
  wanted: readonly string[],
  parts: readonly string[],
): Record<string, string> | null {
  if (wanted.length !== parts.length) return null;
  const params: Record<string, string> = {};
  for (const [index, name] of wanted.entries()) {
    const part = parts[index] ?? '';
    if (name.startsWith('{')) params[name.slice(1, -1)] = decodeURIComponent(part);
    else if (name !== part) return null;
  }
  return params;
}
