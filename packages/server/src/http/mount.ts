/**
 * Creates guarded routes from the endpoint table; contains the steps that all endpoints have in
 * common.
 */
import {
  adaptResponse,
  type ClientVersion,
  checkClientVersion,
  type Endpoint,
  type EndpointName,
  endpoints,
  parseVersion,
} from '@dstack/contract/api';
import type { BodyMemory } from '@dstack/proxy';
import { pacer } from '@dstack/proxy';
import { inRequest } from '@dstack/store';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type CallerIdentity, identifyCaller, type RefusedCaller } from '../callers/identity.ts';
import type { Call, Handler, On } from './call.ts';
import { callingUser } from './event-actor.ts';
import { bodyLimits } from './intake/body-limits.ts';
import { welcome } from './intake/connections.ts';
import { wireJsonPieces } from './json.ts';
import { sendJsonPieces } from './json-answer.ts';
import { isLarge } from './pacing.ts';
import type { HttpDeps } from './ports.ts';
import { RefusalEvents } from './refusal-events.ts';
import { validBody, validQuery } from './request-body.ts';
import { readUpload } from './uploads.ts';

/** Registers handlers of endpoints of the table on the application. */
export function mounter(app: FastifyInstance, deps: HttpDeps): On {
  const paced = pacer();
  const refusals = new RefusalEvents({
    write: (events) => deps.store.events.write(events),
    onError: (error) => deps.log.warn({ err: error }, 'the event of a refusal was not stored'),
    now: () => deps.context().now,
  });
  return (name, handler) => {
    const endpoint: Endpoint = endpoints[name];
    app.route({
      method: endpoint.method === 'ALL' ? ['GET', 'POST'] : endpoint.method,
      url: endpoint.path.replaceAll(/\{(\w+)\}/g, ':$1'),
      handler: (request, reply) =>
        inRequest((settled) =>
          serve(
            { deps, name, endpoint, request, reply, paced, refusals, settled },
            handler as unknown as AnyHandler,
          ),
        ),
    });
  };
}

type AnyHandler = (call: unknown) => Promise<unknown>;

interface Exchange {
  readonly deps: HttpDeps;
  readonly name: EndpointName;
  readonly endpoint: Endpoint;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  /** Waits for the turn of a large response. */
  readonly paced: () => Promise<void>;
  readonly refusals: RefusalEvents;
  /** Waits until all that the answer shows is on the disk. */
  readonly settled: () => Promise<void>;
}

/**
 * Checks client version, caller and role, body and schema, in this order, then runs the operation. The
 * body of a caller who is refused is never read.
 */
async function serve(exchange: Exchange, handler: AnyHandler): Promise<FastifyReply> {
  const { deps, name, endpoint, request, reply } = exchange;
  const { intake } = deps;
  const client = clientVersion(request);
  const params = request.params as Record<string, string>;
  const address = deps.signIns.addressOf(request.raw);
  const onRefused = (caller: RefusedCaller, error: unknown) =>
    exchange.refusals.record({ name, endpoint, caller, address, error });
  const identity = await identifyCaller(
    {
      store: deps.store,
      now: () => deps.context().now,
      lookUp: deps.signIns.from(request.raw),
      sshProxyToken: deps.settings.sshProxyToken,
      onRefused,
    },
    endpoint,
    deps.credentials.of(request.raw),
    params.project_name,
  );
  const caller = callerOf(endpoint, identity);
  const { user, token } = identity;
  if (caller !== null) welcome(request.raw);
  const lease = intake.budget.open(caller);
  try {
    const call = {
      ...identity,
      user: user === null ? null : callingUser(user, token, address),
      body: await bodyOf(exchange, identity, client, lease),
      query: validQuery(endpoint, request.query),
      params,
      client,
      file: () =>
        readUpload(request.raw, {
          limit: deps.settings.codeUploadLimit,
          pace: intake.pace,
          blobs: deps.blobs,
          reserve: (bytes) => intake.reserve(lease, bytes),
        }),
      exchange: {
        request: request.raw,
        setHeader: (name: string, value: string) => reply.header(name, value),
      },
      log: request.log,
    };
    if (isLarge(name)) await exchange.paced();
    const answer = await handler(call);
    const pieces = await wireJsonPieces(adaptResponse(name, answer, client));
    await exchange.settled();
    return await sendJsonPieces(reply, pieces, header(request, 'accept-encoding'));
  } catch (error) {
    if (user !== null) onRefused({ ...identity, user }, error);
    await exchange.settled();
    throw error;
  } finally {
    lease.release();
  }
}

/** The caller whose share of the memory is used; null = an unauthenticated caller. */
function callerOf({ permission }: Endpoint, { user }: CallerIdentity): string | null {
  return user?.id ?? (permission === 'service_token' ? 'ssh-proxy' : null);
}

async function bodyOf(
  { deps, name, endpoint, request }: Exchange,
  identity: CallerIdentity,
  client: ClientVersion | null,
  lease: BodyMemory,
): Promise<unknown> {
  if (endpoint.request === null || endpoint.body === 'none') return undefined;
  const limits = bodyLimits(name, callerOf(endpoint, identity) === null);
  const parsed = await deps.intake.json(request.raw, limits, lease);
  return validBody(name, endpoint, parsed, client);
}

/** Outside of `/api` the version is only read, not checked. */
function clientVersion(request: FastifyRequest): ClientVersion | null {
  const stated = header(request, 'x-api-version');
  if (request.url.startsWith('/api/')) return checkClientVersion(stated);
  return stated === undefined ? null : parseVersion(stated);
}

function header({ headers }: FastifyRequest, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

export type { Call, Handler };
