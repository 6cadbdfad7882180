/** WebSockets into running jobs: commands (`exec`) and connections to ports (`port`). */
import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { MAX_EXEC_MESSAGE } from '@dstack/contract/agent';
import { ApiError, accessDenied, errorBody, notFound } from '@dstack/contract/api';
import { ProxyRefusal, refuseUpgrade } from '@dstack/proxy';
import { DatabaseAwayError, type RunView } from '@dstack/store';
import type { FastifyInstance } from 'fastify';
import { type WebSocket, WebSocketServer } from 'ws';
import type { AdmittedCaller } from '../../access/access-watch.ts';
import { identifyCaller } from '../../callers/identity.ts';
import { OpenCalls } from '../../callers/open-calls.ts';
import { TooManySignIns } from '../../callers/sign-in-guard.ts';
import { CLOSE, close, fail, type Relay, relayExec, relayPort } from '../../exec/relay.ts';
import { type AgentClient, AgentRefusal, AgentUnreachable } from '../../hosts/agent-client.ts';
import { databaseAway } from '../error-answers.ts';
import type { HttpDeps } from '../ports.ts';
import { shuttingDown } from '../shutdown.ts';
import { isJobSocket, type JobSocketUrl, jobSocketUrl } from './job-socket-url.ts';
import { JobSocketRefusal, portOf, reachableJob, unreachable, whichJob } from './reachable-job.ts';

export interface JobSocketDeps
  extends Pick<
    HttpDeps,
    'store' | 'settings' | 'context' | 'shutdown' | 'signIns' | 'credentials' | 'access' | 'log'
  > {
  /** Null: there is no link to the host. */
  readonly client: (hostId: string) => Pick<AgentClient, 'openExec' | 'openPort'> | null;
  readonly limits?: JobSocketLimits;
}

export interface JobSocketLimits {
  readonly perUser: number;
  readonly total: number;
  /** Milliseconds without a byte in either direction. */
  readonly idleMs: Readonly<Record<JobSocketUrl['kind'], number>>;
  /** Milliseconds between two checks of a connection. */
  readonly checkMs: number;
}

const HOUR_MS = 3_600_000;

const LIMITS: JobSocketLimits = {
  perUser: 64,
  total: 2000,
  idleMs: { exec: 4 * HOUR_MS, port: HOUR_MS },
  checkMs: 30_000,
};

/** Browsers cannot send headers with a WebSocket; they offer the key of their session as a protocol. */
const PROTOCOL = 'dstack.v1';
const KEY_PROTOCOL = /^dstack\.key\.([\w-]{43})$/;

export function jobSocketRoutes(app: FastifyInstance, deps: JobSocketDeps): void {
  const limits = deps.limits ?? LIMITS;
  const open = new OpenCalls(limits);
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_EXEC_MESSAGE,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has(PROTOCOL) ? PROTOCOL : false),
  });
  app.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const target = isJobSocket(request.url) ? jobSocketUrl(request.url ?? '') : null;
    if (target === null) {
      if (isJobSocket(request.url)) socket.destroy();
      return;
    }
    socket.on('error', () => socket.destroy());
    serve({ deps, open, server, limits }, target, { request, socket, head }).catch((error) => {
      if (socket.writable) refuse(socket, error, deps);
      else socket.destroy();
    });
  });
}

interface Parts {
  readonly deps: JobSocketDeps;
  readonly open: OpenCalls;
  readonly server: WebSocketServer;
  readonly limits: JobSocketLimits;
}

interface UpgradeRequest {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

interface JobUser extends AdmittedCaller {
  readonly view: RunView;
}

/** Rejects before the connection is a WebSocket: who the caller is and may use is in the HTTP answer. */
async function serve(
  { deps, open, server, limits }: Parts,
  target: JobSocketUrl,
  { request, socket, head }: UpgradeRequest,
): Promise<void> {
  if (deps.shutdown.isEnding) throw shuttingDown();
  let client: WebSocket | null = null;
  let isRevoked = false;
  const onRevoked = () => {
    isRevoked = true;
    if (client !== null) fail(client, 'revoked', 'Access to the run was revoked', CLOSE.revoked);
  };
  const admission = await deps.access.admit(() => jobUser(deps, target, request), onRevoked);
  const { caller, release } = admission;
  let leave: () => void;
  try {
    leave = open.enter(caller.userId, tooMany);
  } catch (error) {
    release();
    throw error;
  }
  socket.once('close', () => {
    leave();
    release();
  });
  if (socket.destroyed) {
    leave();
    release();
    return;
  }
  deps.shutdown.track(socket);
  server.handleUpgrade(request, socket, head, (accepted) => {
    client = accepted;
    accepted.on('error', () => accepted.terminate());
    if (isRevoked) return onRevoked();
    const end = () => close(accepted, CLOSE.goingAway);
    const { sessions } = deps.shutdown;
    sessions.addEventListener('abort', end);
    accepted.once('close', () => sessions.removeEventListener('abort', end));
    // Nothing is read until the job is reached.
    accepted.pause();
    join(deps, target, caller.view, accepted).then(
      (relay) => {
        accepted.resume();
        watch(accepted, relay, limits, target.kind);
      },
      (error: unknown) => answerFailure(accepted, error, deps),
    );
  });
}

function tooMany(whose: string): JobSocketRefusal {
  const message = `${whose} connections to jobs open already: close some of them`;
  return new JobSocketRefusal(429, 'too_many', message);
}

/** Members may use their own runs, managers all. Throws `ApiError`. */
async function jobUser(
  deps: JobSocketDeps,
  { kind, project: projectName, run: runName }: JobSocketUrl,
  request: IncomingMessage,
): Promise<JobUser> {
  const { store, settings, context, signIns, credentials } = deps;
  const identity = {
    store,
    now: () => context().now,
    lookUp: signIns.from(request),
    sshProxyToken: settings.sshProxyToken,
  };
  // Not a GET, which tokens that may only read may send.
  const path = `/api/project/{project_name}/runs/{run_name}/${kind}`;
  const endpoint = { permission: 'project_member', method: 'POST', path } as const;
  const given = credentials.of(request, keyOf(request));
  const found = await identifyCaller(identity, endpoint, given, projectName);
  const { user, project, role, expiresAt } = found;
  if (user === null || project === null) throw notFound();
  const view = await store.runs.byName(project.id, runName);
  if (view === null) throw notFound(`Run ${runName} not found`);
  if (view.run.userId !== user.id && role !== 'admin' && role !== 'manager') {
    throw accessDenied(
      `Access denied: only the user who submitted run ${view.run.name} and managers of the project may enter it`,
    );
  }
  return { userId: user.id, projectId: project.id, expiresAt, view };
}

function keyOf({ headers }: IncomingMessage): string | undefined {
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',');
  return offered.flatMap((one) => KEY_PROTOCOL.exec(one.trim())?.[1] ?? [])[0];
}

async function join(
  deps: JobSocketDeps,
  { kind, query }: JobSocketUrl,
  view: RunView,
  client: WebSocket,
): Promise<Relay> {
  const port = kind === 'port' ? portOf(query) : 0;
  const { jobId, hostId } = await reachableJob(deps.store, view, whichJob(query));
  const agent = deps.client(hostId);
  if (agent === null) throw unreachable();
  if (kind === 'exec') {
    const socket = await agent.openExec(jobId);
    if (client.readyState !== client.OPEN) socket.terminate();
    return relayExec(client, socket, elapsed);
  }
  const { stream } = await agent.openPort(jobId, port);
  if (client.readyState !== client.OPEN) stream.destroy();
  return relayPort(client, stream, elapsed);
}

/** Monotonic milliseconds. */
const elapsed = () => performance.now();

/** Ends unused connections, and those whose other end has vanished. */
function watch(
  client: WebSocket,
  relay: Relay,
  { idleMs, checkMs }: JobSocketLimits,
  kind: JobSocketUrl['kind'],
): void {
  let isAlive = true;
  client.on('pong', () => {
    isAlive = true;
  });
  const timer = setInterval(() => {
    if (performance.now() - relay.lastUse() > idleMs[kind]) {
      fail(client, 'idle', 'The connection was not used for long', CLOSE.idle);
      return;
    }
    // The answer of a client that is not read because the job is slow does not arrive.
    if (!isAlive && !client.isPaused) return client.terminate();
    isAlive = false;
    client.ping();
  }, checkMs);
  client.once('close', () => clearInterval(timer));
}

/** The WebSocket is open already, so that browsers can show the reason. */
function answerFailure(client: WebSocket, error: unknown, { log }: JobSocketDeps): void {
  const { status, code, message } = refusalOf(error);
  if (status === 500) log.error({ err: error }, 'a connection to a job failed');
  fail(client, code, message, 4000 + status);
}

function refusalOf(error: unknown): Pick<JobSocketRefusal, 'status' | 'code' | 'message'> {
  if (error instanceof JobSocketRefusal) return error;
  if (error instanceof AgentUnreachable) return unreachable();
  if (error instanceof AgentRefusal) {
    if (error.code !== 'not_found') return error;
    const message = 'The agent on the host of the job is too old for commands';
    return { status: 501, code: 'unsupported', message };
  }
  return { status: 500, code: 'internal', message: 'The server failed' };
}

function refuse(socket: Duplex, error: unknown, { log }: JobSocketDeps): void {
  if (error instanceof ProxyRefusal) refuseUpgrade(socket, error);
  else if (error instanceof ApiError) answer(socket, error.status, errorBody(error));
  else if (error instanceof TooManySignIns || error instanceof JobSocketRefusal) {
    answer(socket, 429, { detail: error.message });
  } else if (error instanceof DatabaseAwayError) {
    log.error({ err: error }, 'upgrade failed: the database does not answer');
    refuseUpgrade(socket, databaseAway());
  } else {
    log.error({ err: error }, 'upgrade failed');
    answer(socket, 500, { detail: 'Internal Server Error' });
  }
}

function answer(socket: Duplex, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Connection: close',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(text)}`,
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n${text}`);
}
