/** From the endpoint table to guarded routes: everything that all endpoints have in common. */
import {
  adaptResponse,
  type ClientVersion,
  checkClientVersion,
  type Endpoint,
  type EndpointName,
  endpoints,
  parseVersion,
} from '@dstack/contract/api';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Call, Handler, On } from './call.ts';
import { sendJsonText } from './error-answers.ts';
import { identify } from './identity.ts';
import { wireJson } from './json.ts';
import { isLarge, pacer } from './pacing.ts';
import type { HttpDeps } from './ports.ts';
import { parseJson, validBody, validQuery } from './request-body.ts';
import { readUpload } from './uploads.ts';

/** Registers handlers of endpoints of the table on the application. */
export function mounter(app: FastifyInstance, deps: HttpDeps): On {
  const paced = pacer();
  return (name, handler) => {
    const endpoint: Endpoint = endpoints[name];
    app.route({
      method: endpoint.method === 'ALL' ? ['GET', 'POST'] : endpoint.method,
      config: { asksForUser: asksForUser(endpoint) },
      url: endpoint.path.replaceAll(/\{(\w+)\}/g, ':$1'),
      handler: (request, reply) =>
        serve({ deps, name, endpoint, request, reply, paced }, handler as unknown as AnyHandler),
    });
  };
}

function asksForUser({ permission }: Endpoint): boolean {
  return !['public', 'service_auth', 'service_token'].includes(permission);
}

type AnyHandler = (call: unknown) => Promise<unknown>;

interface Exchange {
  readonly deps: HttpDeps;
  readonly name: EndpointName;
  readonly endpoint: Endpoint;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  /** The turn of a large answer. */
  readonly paced: () => Promise<void>;
}

/**
 * The order of the wire contract: JSON at all, client version, caller and role, schema, operation.
 * So a caller without a token learns that first, whatever else is wrong.
 */
async function serve(exchange: Exchange, handler: AnyHandler): Promise<FastifyReply> {
  const { deps, name, endpoint, request, reply } = exchange;
  const parsed = endpoint.body === 'file' ? undefined : parseJson(request.body as Buffer);
  const client = clientVersion(request);
  const params = request.params as Record<string, string>;
  const identity = await identify(
    {
      store: deps.store,
      now: () => deps.context().now,
      sshProxyToken: deps.settings.sshProxyToken,
    },
    endpoint,
    request.headers.authorization,
    params.project_name,
  );
  const call = {
    ...identity,
    body: validBody(name, endpoint, parsed, client),
    query: validQuery(endpoint, request.query),
    params,
    client,
    file: () => readUpload(request, deps.settings.codeUploadLimit),
    log: request.log,
  };
  if (isLarge(name)) await exchange.paced();
  const answer = await handler(call);
  return sendJsonText(reply, 200, wireJson(adaptResponse(name, answer, client)));
}

/** Outside of `/api` a version is only read, not compared. */
function clientVersion(request: FastifyRequest): ClientVersion | null {
  const header = request.headers['x-api-version'];
  const stated = Array.isArray(header) ? header[0] : header;
  if (request.url.startsWith('/api/')) return checkClientVersion(stated);
  return stated === undefined ? null : parseVersion(stated);
}

export type { Call, Handler };
