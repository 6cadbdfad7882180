/** A process that carries requests. It outlives the main process until others have its socket. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, chownSync, renameSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import type { Server, Socket } from 'node:net';
import { dirname, join } from 'node:path';
import {
  Intake,
  MAX_HEADERS,
  OwnTokens,
  ProxyRefusal,
  RateBuckets,
  ReplicaTunnels,
  ServiceProxy,
  serviceUsage,
  TemplateRenderer,
  WorkerAdmission,
} from '@dstack/proxy';
import { createLog } from '../log.ts';
import { callsSocket } from '../nginx/configuration.ts';
import { AskedThroughMain, serverUnreachable } from './asked-server.ts';
import { avoidedFrame } from './avoided-frame.ts';
import { ChangedFigures } from './changed-figures.ts';
import { Front } from './front.ts';
import { GatewayUsage } from './gateway-usage.ts';
import type { FromWorker, ToWorker, TunnelOpen } from './messages.ts';
import { ModelFront } from './model-front.ts';
import { Questions } from './questions.ts';
import { refuseHead } from './refuse-head.ts';
import { ReplicaPorts } from './replica-ports.ts';
import { HostedServices } from './services.ts';
import { templateProgram, workerNode } from './template-program.ts';

const log = createLog('worker');
/** nginx closes idle connections after 10 s, so that this process never closes one that is used. */
const KEEP_ALIVE_MS = 60_000;
const LEAVE_MS = 12_000;
/** A busy computer may close them later. */
const LONGEST_IDLE_MS = 60_000;
/** The longest wait for requests that have begun. */
const LONGEST_MS = 600_000;
const LOOK_MS = 200;
const FIGURES_MS = 1000;
const DOUBTFUL_MS = 1000;
/** Connections of nginx that wait until they are accepted; it refuses the requests of more. */
const BACKLOG = 4096;
/** Bytes that nginx adds to the headers of a request. */
const HEADERS_OF_NGINX = 2048;
/** Requests that wait for the first replica of one service. */
const MAX_HELD = 1000;

/** Memory for bodies of requests to models in bytes, and the slowest of them, as at the server by default. */
const INTAKE = {
  memory: 128 * 1024 * 1024,
  pace: { graceMs: 30_000, bytesPerSecond: 8 * 1024 },
};
/** Bytes of a request to a model; nginx limits them too. */
const MOST_BODY = 1024 * 1024 * 1024;

/** Names this process among all that answer requests; numbers of its requests only rise. */
const ID = randomUUID();
/** Longest wait for a replica's answer, in milliseconds. A change of the setting starts other workers. */
const timeoutMs = Number(process.argv[2] ?? 300_000);
const usageDir = process.argv[3] ?? '';
let authAge = 3600;
let httpsPort = 443;
let generation: string | null = null;

const send = (message: FromWorker): void => {
  if (process.connected) process.send?.(message);
};
const questions = new Questions(send);
const services = new HostedServices();
const tunnels = new ReplicaTunnels({ log });
const ports = new ReplicaPorts({ send, tunnels, now: Date.now });
const link = new AskedThroughMain(questions);
const admission = new WorkerAdmission({
  link,
  addressOf: ({ socket }) => socket.remoteAddress ?? '',
  maxAgeMs: () => authAge * 1000,
  unknown: serverUnreachable,
  onConfirmed: (entry) => send({ type: 'caller', entry }),
  onRefused: (key) => send({ type: 'caller-refused', key }),
  now: Date.now,
});
/** Microseconds. */
const now = () => Date.now() * 1000;
const modelUsage = new GatewayUsage({
  dir: usageDir,
  deliver: (files, tokens) =>
    questions.ask({ type: 'deliver', files, tokens }, 'delivered').catch(() => {}),
});
/** Used while there is no main process, which counts for all workers. */
const ownBuckets = new RateBuckets(Date.now);

const proxy = new ServiceProxy({
  services: {
    byName: async (project, run) => services.ofName(project, run)?.route ?? null,
    addRequests: async (_owner, counts, extras) => {
      const waiting = extras?.signals?.map(({ id }) => id) ?? [];
      const sent = counts.map(({ runId, second, requests }) => ({
        ...{ run_id: runId, second, requests },
      }));
      send({ type: 'requests', counts: sent, waiting });
    },
    setLoad: async (owner, slots) => {
      send({
        ...{ type: 'load', worker: owner },
        slots: slots.map(({ runId, slot, busyMs, latencies }) => ({
          ...{ run_id: runId, slot, busy_ms: busyMs, latencies: { ...latencies } },
        })),
      });
    },
    takeRate: async () => 0,
  },
  takeRate: async (key, rate, service) => {
    try {
      return (await questions.ask({ type: 'take', key, rate, service }, 'taken')).wait;
    } catch {
      return ownBuckets.take(key, rate, service);
    }
  },
  readOutage: async (project, run) => {
    throw await whyNot(project, run);
  },
  open: (replica) => ports.open(replica),
  returnsUntil: () => ports.returnsUntil,
  admit: admission.admit,
  ownTokens: new OwnTokens({
    isToken: async (text) => (await questions.ask({ type: 'is-token', text }, 'token')).own,
    settings: [],
    now: Date.now,
    log,
  }),
  onEjected: (ejected) => send(avoidedFrame(ejected)),
  onModelUse: serviceUsage({ modelUsage, now, log }),
  trust: () => false,
  timeoutMs,
  maxBody: 0,
  maxHeld: MAX_HELD,
  shared: true,
  now,
  log,
});

async function whyNot(project: string, run: string): Promise<ProxyRefusal> {
  const service = services.ofName(project, run);
  if (service === null) return new ProxyRefusal(404, `Service ${project}/${run} not found`);
  try {
    const { status, detail, retry } = await questions.ask(
      { type: 'why', run_id: service.runId },
      'because',
    );
    return new ProxyRefusal(status, detail, retry > 0 ? { retryAfter: retry } : {});
  } catch {
    return new ProxyRefusal(503, `Service ${project}/${run} has no ready replica`, {
      retryAfter: 5,
    });
  }
}

const models = new ModelFront({
  ...{ services: proxy, models: services, modelUsage, admission, now, log },
  intake: new Intake(INTAKE),
  modelBodies: { dir: usageDir, limit: MOST_BODY },
  chatTemplates: new TemplateRenderer({ program: templateProgram(), node: workerNode() }),
});
const front = new Front({
  ...{ services, proxy, models, log },
  httpsPort: () => httpsPort,
  // Without a server nothing would end what nginx has learnt.
  generation: () => (link.isAway ? null : generation),
});

const changedFigures = new ChangedFigures();

function sendFigures(): void {
  const ours = proxy.figures.filter(
    ({ projectName, runName, runId }) => services.ofName(projectName, runName)?.runId === runId,
  );
  const changed = changedFigures.of(ours);
  if (changed.length > 0) send({ type: 'figures', services: changed });
}
setInterval(sendFigures, FIGURES_MS);
// The server watches no callers for a gateway.
setInterval(() => admission.askAboutOpen(), DOUBTFUL_MS);

let busy = 0;
/** Connections that nginx has open; it may send a request over each. */
let connections = 0;
const server = createServer(
  {
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: 0,
    maxHeaderSize: MAX_HEADERS + HEADERS_OF_NGINX,
  },
  (request, response) => {
    busy += 1;
    response.once('close', () => {
      busy -= 1;
    });
    void front.answer(request, response);
  },
);
server.on('upgrade', (request, socket, head) => {
  busy += 1;
  socket.once('close', () => {
    busy -= 1;
  });
  void front.upgrade(request, socket, head);
});

server.on('clientError', refuseHead);

server.on('connection', (socket) => {
  connections += 1;
  socket.once('close', () => {
    connections -= 1;
  });
});

/** nginx opens a connection for each call of gRPC, so that none is lost when this process leaves. */
const calls = createHttp2Server({
  settings: { initialWindowSize: 1024 * 1024, maxHeaderListSize: 128 * 1024 },
});
calls.on('stream', (stream, headers) => {
  busy += 1;
  stream.on('error', () => {});
  stream.once('close', () => {
    busy -= 1;
  });
  void front.call(stream, headers);
});
calls.on('sessionError', () => {});

let own: { readonly path: string; readonly inode: number } | null = null;

async function listen(path: string, group: number | null): Promise<void> {
  await listenAt(calls, callsSocket(path), group);
  const inode = await listenAt(server, path, group);
  own = { path, inode };
  send({ type: 'listening' });
}

/** Returns the inode of the socket. */
async function listenAt(on: Server, path: string, group: number | null): Promise<number> {
  const temporary = `${path}.${process.pid}`;
  rmSync(temporary, { force: true });
  on.listen({ path: temporary, backlog: BACKLOG });
  await once(on, 'listening');
  if (group !== null) chownSync(temporary, 0, group);
  chmodSync(temporary, 0o660);
  const { ino } = statSync(temporary);
  // In one step: nginx finds either the socket of the process before this one, or this one.
  renameSync(temporary, path);
  return ino;
}

process.on('message', (message: ToWorker | TunnelOpen, handle) => {
  switch (message.type) {
    case 'start':
      void listen(message.socket, message.group);
      return;
    case 'settings': {
      const { settings } = message;
      authAge = settings.auth_age;
      httpsPort = settings.https_port;
      return;
    }
    case 'services':
      ports.setHosts(message.hosts);
      models.setHosts(message.models);
      for (const runId of services.replace(message.services)) proxy.changed(runId);
      tunnels.setRoutes(services.tunnels);
      return;
    case 'tunnel-key':
      tunnels.setKey(message.key);
      return;
    case 'service':
      services.set(message.run_id, message.service);
      if (message.service) models.add(message.service);
      proxy.changed(message.run_id);
      tunnels.setRoutes(services.tunnels);
      return;
    case 'leave': {
      const idle = () => send({ type: 'idle', job_id: message.job_id });
      if (proxy.leave(message.job_id, idle)) idle();
      return;
    }
    case 'access': {
      const { n, run_id: runId, after } = message;
      const page = proxy.accessSince(runId, after[ID] ?? null);
      send({ type: 'access-pages', n, pages: [{ process: ID, ...page }] });
      return;
    }
    case 'online':
      link.setOnline(message.online);
      ports.setOnline(message.online);
      return;
    case 'access-changed':
      admission.changed();
      return;
    case 'generation':
      generation = message.generation;
      return;
    case 'cached':
      admission.restore(message.entries);
      return;
    case 'caller-refused':
      admission.revoke(message.key);
      return;
    case 'tokens-used':
      admission.tokensUsed(new Set(message.tokens));
      return;
    case 'tunnel-open':
      ports.opened(message.id, handle as Socket | undefined, message.head);
      return;
    case 'no-tunnel':
      ports.failed(message.id, message.error);
      return;
    case 'admitted':
    case 'token':
    case 'because':
    case 'taken':
    case 'delivered':
    case 'unanswered':
      questions.answered(message as never);
  }
});

/** The main process has ended: serve until the workers of the next one have taken the socket. */
process.on('disconnect', () => {
  link.setOnline(false);
  questions.failAll();
  if (own === null) process.exit(0);
  ports.leave(join(dirname(own.path), 'link.sock'));
  const timer = setInterval(() => {
    if (isStillOurs()) return;
    clearInterval(timer);
    leave();
  }, LOOK_MS);
});

function isStillOurs(): boolean {
  try {
    return own !== null && statSync(own.path).ino === own.inode;
  } catch {
    return false;
  }
}

function leave(): void {
  front.isLeaving = true;
  const began = Date.now();
  setInterval(() => {
    const age = Date.now() - began;
    // A request may be on its way over an open connection, and one with a body is not sent again.
    const mayCome = age < LEAVE_MS || (connections > 0 && age < LONGEST_IDLE_MS);
    if ((busy === 0 && !mayCome) || age > LONGEST_MS) process.exit(0);
  }, LOOK_MS);
}

process.on('SIGTERM', leave);
process.on('SIGINT', () => {});
