import { ruleError } from '@dstack/contract/api';
import { CHANGE_TYPES, type ChangeType } from '@dstack/contract/wire';
import type { Id } from '@dstack/core';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AdmittedCaller } from '../../access/access-watch.ts';
import { identifyCaller } from '../../callers/identity.ts';
import { type ChangeViewer, viewerOf } from '../../changes/audience.ts';
import type { ChangeHub } from '../../changes/change-hub.ts';
import { openStream } from './open-stream.ts';
import type { StreamDeps } from './routes.ts';
import { ChangeStream } from './stream-changes.ts';

export interface ChangeStreamDeps extends StreamDeps {
  readonly hub: ChangeHub;
}

/** Browsers share one stream between their tabs. */
const MOST_PER_USER = 200;

const ENDPOINT = { permission: 'auth', method: 'GET', path: '/api/stream' } as const;

interface Watcher extends AdmittedCaller {
  readonly viewer: ChangeViewer;
}

export function changeRoute(app: FastifyInstance, deps: ChangeStreamDeps): void {
  const open = new Map<Id, number>();
  app.get(ENDPOINT.path, async (request, reply) => {
    let stream: ChangeStream | null = null;
    const left = new AbortController();
    const leave = () => left.abort();
    const admission = await deps.access.admit(
      () => watcherOf(deps, request),
      leave,
      () => stream?.hold(),
      ({ viewer }) => stream?.see(viewer),
    );
    const { caller, release } = admission;
    reply.raw.once('close', release);
    // The client disconnected during identification, and the event has been emitted already.
    if (reply.raw.destroyed) {
      release();
      return reply.hijack();
    }
    const types = typesOf(request.query as Readonly<Record<string, unknown>>);
    takePlace(open, caller.userId, reply);
    const sink = openStream(request, reply);
    const after = request.headers['last-event-id'];
    stream = new ChangeStream(
      {
        ...{ hub: deps.hub, viewer: caller.viewer, types, onProjects: admission.recheck },
        after: typeof after === 'string' && after !== '' ? after : null,
      },
      sink,
    );
    const end = () => stream?.end();
    sink.once('close', end);
    AbortSignal.any([left.signal, deps.shutdown.signal]).addEventListener('abort', end);
    if (sink.destroyed || left.signal.aborted || deps.shutdown.isEnding) end();
    return reply;
  });
}

async function watcherOf(deps: StreamDeps, request: FastifyRequest): Promise<Watcher> {
  const { store, settings } = deps;
  const identity = {
    store,
    now: () => deps.context().now,
    lookUp: deps.signIns.from(request.raw),
    sshProxyToken: settings.sshProxyToken,
  };
  const credentials = deps.credentials.of(request.raw);
  const { user, expiresAt } = await identifyCaller(identity, ENDPOINT, credentials, undefined);
  if (user === null) throw ruleError('`/api/stream` requires a user');
  return { userId: user.id, projectId: null, expiresAt, viewer: await viewerOf(store, user) };
}

function typesOf({ types }: Readonly<Record<string, unknown>>): ReadonlySet<ChangeType> | null {
  if (types === undefined || types === '') return null;
  const named = String(types).split(',');
  const known = CHANGE_TYPES.filter((type) => named.includes(type));
  if (known.length === new Set(named).size) return new Set(known);
  throw ruleError(`\`types\` may contain ${CHANGE_TYPES.join(', ')}, separated by commas`);
}

function takePlace(open: Map<Id, number>, userId: Id, reply: FastifyReply): void {
  const count = open.get(userId) ?? 0;
  if (count >= MOST_PER_USER) {
    const message = `You have ${MOST_PER_USER} streams open already: close some of them`;
    throw Object.assign(new Error(message), { statusCode: 429 });
  }
  open.set(userId, count + 1);
  reply.raw.once('close', () => {
    const left = (open.get(userId) ?? 1) - 1;
    if (left > 0) open.set(userId, left);
    else open.delete(userId);
  });
}
