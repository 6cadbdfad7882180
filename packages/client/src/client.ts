import type { ServiceSignInRequest } from '@dstack/contract/api';
import { WIRE_VERSION } from '@dstack/contract/version';
import type { Run, ServiceSignIn } from '@dstack/contract/wire';
import { changesOf } from './domains/changes.ts';
import { explainOf, explainPlanOf } from './domains/explain.ts';
import { fleetsOf } from './domains/fleets.ts';
import { jobSocketsOf } from './domains/job-sockets.ts';
import { logsOf } from './domains/logs.ts';
import { modelsOf } from './domains/models.ts';
import { capacityCalls, poolSharesOf, runQueueOf } from './domains/queue.ts';
import { filesOf, reposOf } from './domains/repos.ts';
import {
  backendsOf,
  exportsOf,
  gatewaysOf,
  importsOf,
  instancesOf,
  quotaCalls,
  retentionOf,
  secretCalls,
  serviceTokensOf,
  templatesOf,
  volumesOf,
} from './domains/resources.ts';
import { type ListRunsQuery, listRuns, runsOf } from './domains/runs.ts';
import { authOf, metricsOf, projectCalls, serverCalls, usersOf } from './domains/server.ts';
import { servicesOf } from './domains/services.ts';
import { sessionOf, signInAtService } from './domains/session.ts';
import type { Exchange } from './exchange.ts';
import { nodeExchange } from './node-exchange.ts';
import { Transport } from './transport.ts';
import { globalWebSocket, type OpenWebSocket } from './web-socket.ts';

export interface ClientOptions {
  /** `http://…`, `https://…`, or `http+unix://<percent-encoded path of a socket>`. */
  readonly url: string;
  /** Null for the few calls that need none. */
  readonly token: string | null;
  /** In browsers instead of a token: the key of the session, or null (see `Client.session`). */
  readonly sessionKey?: () => string | null;
  /** Sent as `X-API-VERSION`; default: the wire version this client was made for. */
  readonly apiVersion?: string;
  readonly userAgent?: string;
  /** Limit of one call in ms; default 60 000. Streams have none. */
  readonly timeoutMs?: number;
  /** Number of retries of calls that are safe to retry; default 2. */
  readonly retries?: number;
  /** Sends the requests; default `node:http`. Browsers pass `fetchExchange`. */
  readonly exchange?: Exchange;
  /** Opens WebSockets; default the global `WebSocket` of browsers and Node. */
  readonly webSocket?: OpenWebSocket;
}

/**
 * A client of one server.
 *
 * @example
 * const client = createClient({ url: 'http://127.0.0.1:3000', token });
 * const run = await client.project('main').runs.get({ run_name: 'train' });
 */
export function createClient(options: ClientOptions): Client {
  const transport = new Transport({
    baseUrl: options.url.replace(/\/+$/, ''),
    token: options.token,
    sessionKey: options.sessionKey ?? (() => null),
    apiVersion: options.apiVersion ?? WIRE_VERSION,
    userAgent: options.userAgent ?? 'dstack-client',
    exchange: options.exchange ?? nodeExchange(),
    webSocket: options.webSocket ?? globalWebSocket,
    timeoutMs: options.timeoutMs ?? 60_000,
    retries: options.retries ?? 2,
    wait,
  });
  return {
    url: transport.baseUrl,
    server: serverCalls(transport),
    auth: authOf(transport),
    session: sessionOf(transport),
    signInAtService: (request) => signInAtService(transport, request),
    changes: changesOf(transport),
    users: usersOf(transport),
    quotas: quotaCalls(transport),
    projects: projectCalls(transport),
    files: filesOf(transport),
    listRuns: (query: ListRunsQuery) => listRuns(transport, query),
    project: (name: string) => projectClient(transport, name),
  };
}

function projectClient(transport: Transport, name: string): ProjectClient {
  const base = `/api/project/${encodeURIComponent(name)}`;
  return {
    name,
    runs: runsOf(transport, base),
    fleets: fleetsOf(transport, base),
    instances: instancesOf(transport, base),
    backends: backendsOf(transport, base),
    logs: logsOf(transport, base),
    metrics: metricsOf(transport, base),
    models: modelsOf(transport, base),
    services: servicesOf(transport, base),
    repos: reposOf(transport, base),
    volumes: volumesOf(transport, base),
    gateways: gatewaysOf(transport, base),
    secrets: secretCalls(transport, base),
    retention: retentionOf(transport, base),
    serviceTokens: serviceTokensOf(transport, base),
    exports: exportsOf(transport, base),
    templates: templatesOf(transport, base),
    imports: importsOf(transport, base),
    explain: explainOf(transport, base),
    explainPlan: explainPlanOf(transport, base),
    queue: runQueueOf(transport, base),
    capacity: capacityCalls(transport, base),
    shares: poolSharesOf(transport, base),
    jobs: jobSocketsOf(transport, base),
  };
}

/** Calls on one server. */
export interface Client {
  /** The base URL, without a slash at the end. */
  readonly url: string;
  readonly server: ReturnType<typeof serverCalls>;
  readonly auth: ReturnType<typeof authOf>;
  readonly session: ReturnType<typeof sessionOf>;
  /** See `signInAtService`. */
  signInAtService(request: ServiceSignInRequest): Promise<ServiceSignIn>;
  readonly changes: ReturnType<typeof changesOf>;
  readonly users: ReturnType<typeof usersOf>;
  readonly quotas: ReturnType<typeof quotaCalls>;
  readonly projects: ReturnType<typeof projectCalls>;
  readonly files: ReturnType<typeof filesOf>;
  listRuns(query: ListRunsQuery): Promise<Run[]>;
  project(name: string): ProjectClient;
}

/** Calls on one project. */
export interface ProjectClient {
  readonly name: string;
  readonly runs: ReturnType<typeof runsOf>;
  readonly fleets: ReturnType<typeof fleetsOf>;
  readonly instances: ReturnType<typeof instancesOf>;
  readonly backends: ReturnType<typeof backendsOf>;
  readonly logs: ReturnType<typeof logsOf>;
  readonly metrics: ReturnType<typeof metricsOf>;
  readonly models: ReturnType<typeof modelsOf>;
  readonly services: ReturnType<typeof servicesOf>;
  readonly repos: ReturnType<typeof reposOf>;
  readonly volumes: ReturnType<typeof volumesOf>;
  readonly gateways: ReturnType<typeof gatewaysOf>;
  readonly secrets: ReturnType<typeof secretCalls>;
  readonly retention: ReturnType<typeof retentionOf>;
  readonly serviceTokens: ReturnType<typeof serviceTokensOf>;
  readonly exports: ReturnType<typeof exportsOf>;
  readonly templates: ReturnType<typeof templatesOf>;
  readonly imports: ReturnType<typeof importsOf>;
  readonly explain: ReturnType<typeof explainOf>;
  readonly explainPlan: ReturnType<typeof explainPlanOf>;
  readonly queue: ReturnType<typeof runQueueOf>;
  readonly capacity: ReturnType<typeof capacityCalls>;
  readonly shares: ReturnType<typeof poolSharesOf>;
  /** Commands in running jobs, and connections to their ports. */
  readonly jobs: ReturnType<typeof jobSocketsOf>;
}

function wait(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      signal?.removeEventListener('abort', stopped);
      resolve();
    };
    const timer = setTimeout(done, ms);
    const stopped = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    if (signal?.aborted) stopped();
    else signal?.addEventListener('abort', stopped, { once: true });
  });
}
