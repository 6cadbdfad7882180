/** A process that carries requests. It outlives the main process until others have its socket. */
import { once } from 'node:events';
import { chmodSync, chownSync, renameSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import type { Server } from 'node:net';
import { dirname, join } from 'node:path';
import {
  Intake,
  type Known,
  MAX_HEADERS,
  NO_MARKS,
  type OtherProcess,
  opensWebSocket,
  ProcessChannel,
  ProxyRefusal,
  ReplicaTunnels,
  ServerLink,
  ServiceWorker,
  TemplateRenderer,
  TokenMarks,
} from '@dstack/proxy';
import { createLog } from '../log.ts';
import { callsSocket } from '../nginx/configuration.ts';
import { Front } from './front.ts';
import { type GatewayState, gatewayUse, type Listen } from './gateway-state.ts';
import { ModelFront } from './model-front.ts';
import { refuseHead } from './refuse-head.ts';
import { ReplicaPorts } from './replica-ports.ts';
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

/** The main process answers within this time, or passes on that the server cannot (ms). */
const LIMIT_MS = 5000;

/** Longest wait for a replica's answer, in milliseconds. A change of the setting starts other workers. */
const timeoutMs = Number(process.argv[2] ?? 300_000);
const [, , , uses = '', counts = ''] = process.argv;
let authAge = 3600;
let httpsPort = 443;
let marks = NO_MARKS;
let generation: string | null = null;

const link = new ServerLink(LIMIT_MS);
link.setOnline(false);
const tunnels = new ReplicaTunnels({ log });
const ports = new ReplicaPorts({ link, tunnels, now: Date.now });
/** Microseconds. */
const now = () => Date.now() * 1000;
const worker: ServiceWorker = new ServiceWorker({
  ...{ link, spools: { uses, counts }, useForm: gatewayUse, timeoutMs, now, log },
  addressOf: ({ socket }) => socket.remoteAddress ?? '',
  maxAgeMs: () => authAge * 1000,
  unknown: () =>
    new ProxyRefusal(
      503,
      'The dstack server cannot be reached, and this token has not been used here before',
      { code: 'server_away', retryAfter: 5 },
    ),
  open: (replica) => ports.open(replica),
  returnsUntil: () => ports.returnsUntil,
  onHosts: () => {},
  onServices: () => tunnels.setRoutes(worker.services.table.tunnels),
  tokens: [],
  marks: () => marks,
  sharesRates: true,
  trust: () => false,
  maxBody: 0,
  maxHeld: MAX_HELD,
  shared: true,
});
const { proxy, services, admission, usage } = worker;

const models = new ModelFront({
  ...{ services: proxy, models: services, modelUsage: usage, admission, now, log },
  intake: new Intake(INTAKE),
  modelBodies: { dir: uses, limit: MOST_BODY },
  chatTemplates: new TemplateRenderer({ program: templateProgram(), node: workerNode() }),
});
const front = new Front({
  ...{ services: services.table, proxy, models, log },
  httpsPort: () => httpsPort,
  // Without a server nothing would end what nginx has learnt.
  generation: () => (link.isAway ? null : generation),
});

setInterval(() => worker.sendFigures(), FIGURES_MS);
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
    shouldUpgradeCallback: opensWebSocket,
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

async function listen({ socket, group }: Listen): Promise<void> {
  await listenAt(calls, callsSocket(socket), group);
  const inode = await listenAt(server, socket, group);
  own = { path: socket, inode };
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

function take(state: Partial<GatewayState>): void {
  if (state.authAge !== undefined) authAge = state.authAge;
  if (state.httpsPort !== undefined) httpsPort = state.httpsPort;
  if (state.tokenMarks !== undefined) marks = new TokenMarks(state.tokenMarks);
  if (state.generation !== undefined) generation = state.generation;
  if (state.tunnelKey !== undefined) tunnels.setKey(state.tunnelKey);
  if (state.hosts !== undefined) ports.setHosts(state.hosts);
  if (state.models !== undefined) models.setHosts(state.models);
  if (state.online !== undefined) {
    ports.setOnline(state.online);
    link.setOnline(state.online);
  }
}

const channel = new ProcessChannel(process as OtherProcess, {
  ...worker.handlers,
  known: (known: Known) => worker.take(known),
  state: take,
  listen,
});
link.use(channel);

/** The main process has ended: serve until the workers of the next one have taken the socket. */
void channel.closed.then(() => {
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
