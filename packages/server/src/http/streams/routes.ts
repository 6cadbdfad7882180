/**
 * Server-sent events of a project's runs, logs and events: our addition to the endpoints that official
 * clients poll.
 */

import { ListEventsRequest, notFound, ruleError, validationDetails } from '@dstack/contract/api';
import { isJobFinished } from '@dstack/contract/status';
import { parseTimestamp } from '@dstack/contract/wire';
import { UnprocessableError } from '@dstack/proxy';
import type { ProjectRecord } from '@dstack/store';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AccessWatch, AdmittedCaller } from '../../access/access-watch.ts';
import { identifyCaller } from '../../callers/identity.ts';
import type { LogStore } from '../../logs/log-store.ts';
import { type LogStart, startOffset } from '../../logs/start-offset.ts';
import { streamLog } from '../../logs/stream-log.ts';
import type { RunChanges } from '../../loops/run-changes.ts';
import { serviceBehindGateway } from '../gateways/served-run.ts';
import type { HttpDeps } from '../ports.ts';
import { isNamed } from '../runs/arrays.ts';
import { AccessPeers } from './access-peers.ts';
import { openStream } from './open-stream.ts';
import { type ReadAccess, streamAccess } from './stream-access.ts';
import { type EventCursor, streamEvents } from './stream-events.ts';
import { watchRun } from './watch-run.ts';

export interface StreamDeps
  extends Pick<
    HttpDeps,
    'store' | 'settings' | 'context' | 'shutdown' | 'signIns' | 'credentials' | 'services'
  > {
  readonly access: AccessWatch;
  readonly logStore: LogStore;
  readonly changes: RunChanges;
  /** Requests that other processes of this server have answered, and gateways. */
  readonly accessElsewhere?: ReadAccess;
}

interface ProjectRoute {
  readonly Params: { readonly project_name: string; readonly run_name?: string };
  readonly Querystring: Readonly<Record<string, string | undefined>>;
}

const MEMBERS_ONLY = {
  permission: 'project_member',
  method: 'GET',
  path: '/api/project/{project_name}/',
} as const;

export function streamRoutes(app: FastifyInstance, deps: StreamDeps): void {
  app.get<ProjectRoute>('/api/project/:project_name/logs/stream', async (request, reply) => {
    const { project, left } = await enterStream(request, reply, deps);
    const query = request.query;
    const run = required(query, 'run_name');
    const jobId = required(query, 'job_submission_id');
    const view = await deps.store.jobs.byId(jobId);
    if (view?.run.projectId !== project.id || !isNamed(view.run, run))
      throw notFound('Job not found');
    const ref = { project: project.name, run: view.run.name, jobId };
    const given = request.headers['last-event-id'] ?? query.offset;
    const offset =
      given === undefined
        ? await startOffset(deps.logStore, ref, logStart(query))
        : wholeNumber(given, 'offset');
    const follows = isTrue(query, 'follow', true);
    const timestamps = isTrue(query, 'timestamps', false);
    const sink = openStream(request, reply);
    await streamLog(deps.logStore, ref, offset, sink, left, {
      ...{ timestamps, shutdown: deps.shutdown.signal },
      over: async () => !follows || isOver(await deps.store.jobs.byId(jobId)),
      watchOver: (notify) => deps.changes.watch(view.run.id, notify),
    });
    return reply;
  });

  app.get<ProjectRoute>('/api/project/:project_name/runs/watch', async (request, reply) => {
    const { project, disconnected } = await enterStream(request, reply, deps);
    const view = await deps.store.runs.byName(project.id, required(request.query, 'run_name'));
    if (!view) throw notFound('Run not found');
    const sink = openStream(request, reply);
    const seen = request.headers['last-event-id'];
    const watched = { runId: view.run.id, seen: typeof seen === 'string' ? seen : null };
    await watchRun({ ...deps, ...watched, sink, signal: disconnected });
    return reply;
  });

  eventStreamRoute(app, deps);
  accessStreamRoute(app, deps);
}

function accessStreamRoute(app: FastifyInstance, deps: StreamDeps): void {
  const { services, accessElsewhere, store } = deps;
  const readOwn: ReadAccess = async (runId, after) => {
    const pages = (await accessElsewhere?.(runId, after)) ?? new Map();
    return pages.set(OWN, services.accessSince(runId, after.get(OWN) ?? null));
  };
  const peers = store.shared ? new AccessPeers(store.peers, readOwn) : null;
  app.addHook('onClose', async () => peers?.close());
  const path = '/api/project/:project_name/services/:run_name/access';
  app.get<ProjectRoute>(path, async (request, reply) => {
    const { project, disconnected: signal } = await enterStream(request, reply, deps);
    const { run_name: runName = '' } = request.params;
    const follows = isTrue(request.query, 'follow', true);
    const route = await services.find({ projectName: project.name, runName });
    const runId = route?.runId ?? (await serviceBehindGateway(store, project, runName))?.id;
    if (runId === undefined) throw notFound(`Service ${runName} does not exist or has ended`);
    const others = peers?.open(runId);
    const read: ReadAccess = async (_run, after) => {
      const elsewhere = (await others?.read(after)) ?? [];
      return new Map([...elsewhere, ...(await readOwn(runId, after))]);
    };
    const sink = openStream(request, reply);
    await streamAccess({ runId, read, sink, signal, follows }).finally(() => others?.close());
    return reply;
  });
}

/** This process, among those that answer requests. */
const OWN = 'server';

/** Filters as in `events/list`; several ids of one filter are separated by commas. */
function eventStreamRoute(app: FastifyInstance, deps: StreamDeps): void {
  app.get<ProjectRoute>('/api/project/:project_name/events/stream', async (request, reply) => {
    const { project, disconnected } = await enterStream(request, reply, deps);
    const wanted = eventsWanted(request.query);
    const given = request.headers['last-event-id'];
    const from = typeof given === 'string' ? cursorOf(given) : startOf(wanted, deps);
    const sink = openStream(request, reply);
    const { store } = deps;
    const listener = { sink, signal: disconnected };
    await streamEvents({ store, projectId: project.id, request: wanted, from, ...listener });
    return reply;
  });
}

const ONE_VALUE = new Set(['prev_recorded_at', 'prev_id', 'limit', 'ascending']);

function eventsWanted(query: ProjectRoute['Querystring']): ListEventsRequest {
  const entries = Object.entries(query).map(([name, value]) => [
    name,
    ONE_VALUE.has(name) ? value : String(value).split(',').map(orSystem),
  ]);
  const input: unknown = Object.fromEntries(entries);
  const result = ListEventsRequest.safeParse(input);
  if (result.success) return result.data;
  throw new UnprocessableError(validationDetails(result.error, input, 'query'));
}

/** Among actors, `null` is the system. */
function orSystem(text: string): string | null {
  return text === 'null' ? null : text;
}

/** Without a starting point, the stream begins with events written from now on. */
function startOf(request: ListEventsRequest, deps: StreamDeps): EventCursor {
  const at = request.prev_recorded_at;
  return at === null ? { at: deps.context().now, id: null } : { at, id: request.prev_id };
}

function cursorOf(text: string): EventCursor {
  const [, at, id] = /^(\d{1,16})-([0-9a-f-]{36})$/.exec(text) ?? [];
  if (at === undefined || id === undefined) {
    throw ruleError('`Last-Event-ID` must be an id that this stream has sent');
  }
  return { at: Number(at), id };
}

interface Entered {
  readonly project: ProjectRecord;
  /** Aborted when the client disconnects, or its access is revoked. */
  readonly left: AbortSignal;
  /** Also aborted when the server shuts down. */
  readonly disconnected: AbortSignal;
}

/** Throws `ApiError`. Watches the caller's access until the response is closed. */
async function enterStream(
  request: FastifyRequest<ProjectRoute>,
  reply: FastifyReply,
  deps: StreamDeps,
): Promise<Entered> {
  const disconnected = new AbortController();
  const leave = () => disconnected.abort();
  const { caller, release } = await deps.access.admit(() => callerOf(request, deps), leave);
  request.raw.once('close', leave);
  reply.raw.once('close', release);
  if (reply.raw.destroyed) {
    // The client disconnected during identification: both events have already been emitted.
    release();
    leave();
  }
  const signals = [disconnected.signal, deps.shutdown.signal];
  const { project } = caller;
  return { project, left: disconnected.signal, disconnected: AbortSignal.any(signals) };
}

interface Listener extends AdmittedCaller {
  readonly project: ProjectRecord;
}

async function callerOf(
  request: FastifyRequest<ProjectRoute>,
  deps: StreamDeps,
): Promise<Listener> {
  const { store, settings } = deps;
  const identity = await identifyCaller(
    {
      store,
      now: () => deps.context().now,
      lookUp: deps.signIns.from(request.raw),
      sshProxyToken: settings.sshProxyToken,
    },
    MEMBERS_ONLY,
    deps.credentials.of(request.raw),
    request.params.project_name,
  );
  const { user, project, expiresAt } = identity;
  if (!user || !project) throw notFound('Project not found');
  return { userId: user.id, projectId: project.id, expiresAt, project };
}

function required(query: ProjectRoute['Querystring'], name: string): string {
  const value = query[name];
  if (!value) throw ruleError(`\`${name}\` must be given in the query`);
  return value;
}

function isTrue(query: ProjectRoute['Querystring'], name: string, fallback: boolean): boolean {
  const value = query[name] ?? String(fallback);
  if (value !== 'true' && value !== 'false') throw ruleError(`\`${name}\` must be true or false`);
  return value === 'true';
}

function wholeNumber(text: string | string[], name: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0)
    throw ruleError(`\`${name}\` must be a whole number`);
  return value;
}

/** `start_time`: only output printed after it; `lines`: only that many last lines of it. */
function logStart({ start_time, lines }: ProjectRoute['Querystring']): LogStart {
  const since = start_time === undefined ? null : parseTimestamp(start_time);
  if (start_time !== undefined && since === null) {
    throw ruleError('`start_time` must be a time with an offset');
  }
  return { since, lines: lines === undefined ? null : wholeNumber(lines, 'lines') };
}

/** True also for a job that was deleted, which has no further output. */
function isOver(view: Awaited<ReturnType<StreamDeps['store']['jobs']['byId']>>): boolean {
  return !view || isJobFinished(view.job.status);
}
