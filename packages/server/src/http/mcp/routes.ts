/**
 * MCP over HTTP, with the tools of `dstack mcp`. A tool calls the API of this server over loopback with
 * the caller's own token, so that the API's permissions, limits and events hold for agents too.
 */
import { ruleError } from '@dstack/contract/api';
import { ProxyRefusal } from '@dstack/proxy';
import type { UserRecord } from '@dstack/store';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { tokenOnly } from '../../callers/credentials.ts';
import { bearerToken, identifyCaller } from '../../callers/identity.ts';
import { OpenCalls } from '../../callers/open-calls.ts';
import { isConfined } from '../../callers/scope.ts';
import { assets } from '../../process/assets.ts';
import { PRODUCT_VERSION } from '../../process/version.ts';
import { bodyLimits } from '../intake/body-limits.ts';
import { welcome } from '../intake/connections.ts';
import type { HttpDeps } from '../ports.ts';

type McpDeps = Pick<
  HttpDeps,
  'store' | 'context' | 'signIns' | 'settings' | 'intake' | 'shutdown' | 'log' | 'ownUrl'
>;

/** Programs' tokens may call it, whatever their scope; each tool's call is checked again. */
const SELF = { permission: 'auth', method: 'GET', path: '/api/stream' } as const;

/** Calls in one request of an older client; all of them are carried out at the same time. */
const MOST_CALLS = 20;

/** Calls at the same time: each may hold the end of a log in memory, and a command lasts minutes. */
const OPEN = { perUser: 20, total: 200 };

const RETRY_AFTER_SECONDS = 1;

export function mcpRoutes(app: FastifyInstance, deps: McpDeps): void {
  const open = new OpenCalls(OPEN);
  app.route({
    method: ['GET', 'POST', 'DELETE'],
    url: '/mcp',
    handler: (request, reply) => serve({ ...deps, open }, request, reply),
  });
}

function tooMany(whose: string): ProxyRefusal {
  return new ProxyRefusal(429, `${whose} calls of tools in progress: wait for some of them`, {
    retryAfter: RETRY_AFTER_SECONDS,
  });
}

async function serve(
  deps: McpDeps & { readonly open: OpenCalls },
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { authorization } = request.headers;
  // Tokens only: a page of another origin could make a browser send a cookie.
  const { user } = await identifyCaller(
    {
      store: deps.store,
      now: () => deps.context().now,
      lookUp: deps.signIns.from(request.raw),
      sshProxyToken: null,
    },
    SELF,
    tokenOnly(authorization),
    undefined,
  );
  if (user === null) throw new Error('the caller of an MCP request has no user');
  welcome(request.raw);
  const body = await bodyOf(deps, user, request);
  const projectName = await projectOf(deps, user, request);
  const leave = deps.open.enter(user.id, tooMany, Array.isArray(body) ? body.length : 1);
  try {
    const answer = await answerOf(deps, { request, reply, body, projectName });
    reply.code(answer.status);
    for (const [name, value] of answer.headers) {
      if (name !== 'content-length') reply.header(name, value);
    }
    reply.header('cache-control', 'no-store');
    return reply.send(await answer.text());
  } finally {
    leave();
  }
}

interface McpCall {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly body: unknown;
  readonly projectName: string;
}

async function answerOf(
  deps: McpDeps,
  { request, reply, body, projectName }: McpCall,
): Promise<Response> {
  const { createClient } = await import('@dstack/client');
  const { nodeWebSocket } = await import('@dstack/client/node-web-socket');
  const { docsInFolder, mcpOverHttp } = await import('@dstack/mcp');
  return await mcpOverHttp({
    version: PRODUCT_VERSION,
    docs: docsInFolder(assets.docs),
    connect: async () => {
      const client = createClient({
        url: await deps.ownUrl(),
        token: bearerToken(request.headers.authorization),
        userAgent: 'dstack-mcp',
        webSocket: nodeWebSocket,
      });
      return { client, project: client.project(projectName) };
    },
    request: {
      url: `http://mcp${request.url}`,
      method: request.method,
      headers: request.headers,
      body,
      signal: disconnection(reply, deps),
    },
    onError: (error) => deps.log.debug({ err: error }, 'an MCP request was refused'),
  });
}

async function bodyOf(
  { intake }: McpDeps,
  user: UserRecord,
  request: FastifyRequest,
): Promise<unknown> {
  if (request.method !== 'POST') return undefined;
  const lease = intake.budget.open(user.id);
  try {
    const body = await intake.json(request.raw, bodyLimits('runs.get_plan', false), lease);
    if (Array.isArray(body) && body.length > MOST_CALLS) {
      throw ruleError(`One request may have ${MOST_CALLS} calls; this one has ${body.length}`);
    }
    return body;
  } finally {
    lease.release();
  }
}

/** The project of a program's token; a user names one, `main` by default. */
async function projectOf(
  { store }: McpDeps,
  user: UserRecord,
  request: FastifyRequest,
): Promise<string> {
  const { project: asked } = request.query as { readonly project?: unknown };
  if (!isConfined(user)) return typeof asked === 'string' && asked !== '' ? asked : 'main';
  const own = await store.projects.byId(user.onlyProject);
  const name = own?.name ?? '';
  if (typeof asked === 'string' && asked.toLowerCase() !== name.toLowerCase()) {
    throw ruleError(`This token is valid in project ${name} only, not in ${asked}`);
  }
  return name;
}

/** Aborts when the response closes, as clients keep their connections open, or the server shuts down. */
function disconnection({ raw }: FastifyReply, { shutdown }: McpDeps): AbortSignal {
  const left = new AbortController();
  raw.once('close', () => left.abort());
  return AbortSignal.any([left.signal, shutdown.signal]);
}
