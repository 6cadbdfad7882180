/** Makes the parts by which workers of the proxy serve services, and the server everything else. */
import { hash } from 'node:crypto';
import { statSync } from 'node:fs';
import type { Signal } from '@dstack/core';
import { controlOf, marksOfGuarded } from '@dstack/proxy';
import type { FastifyInstance } from 'fastify';
import type { AccessWatch } from '../access/access-watch.ts';
import type { SignInGuard } from '../callers/sign-in-guard.ts';
import { systemNow } from '../clock/system-clock.ts';
import type { AgentClient } from '../hosts/agent-client.ts';
import { Grants } from '../http/proxy/grants.ts';
import type { RunChanges } from '../loops/run-changes.ts';
import { outageReader } from '../outages/outage-reader.ts';
import { assets } from '../process/assets.ts';
import { listen } from '../process/listen.ts';
import { PRODUCT_VERSION } from '../process/version.ts';
import { ApiSocket } from '../proxy-workers/api-socket.ts';
import { keepTotals } from '../proxy-workers/nginx/kept-totals.ts';
import { NginxRequests } from '../proxy-workers/nginx/nginx-requests.ts';
import {
  endEarlierNginx,
  nginxControlSocket,
  ServerNginx,
} from '../proxy-workers/nginx/server-nginx.ts';
import { OwnTotals, type OwnTotalsOptions } from '../proxy-workers/own-totals.ts';
import type { WorkerConfig } from '../proxy-workers/protocol.ts';
import { type FrontNginx, ProxyFront } from '../proxy-workers/proxy-front.ts';
import { ProxyWorkers } from '../proxy-workers/proxy-workers.ts';
import { PushedRoutes, type PushedRoutesOptions } from '../proxy-workers/pushed-routes.ts';
import { WorkerDesk } from '../proxy-workers/worker-desk.ts';
import { type WorkerPaths, workerPaths } from '../proxy-workers/worker-records.ts';
import { WorkerSpools, wokenBy } from '../proxy-workers/worker-spools.ts';
import type { AvoidedReplicas } from '../service-table/avoided-replicas.ts';
import { intakeSettings } from '../settings/http-settings.ts';
import { tokensOfSettings } from '../settings/own-tokens.ts';
import type { Parts } from './parts.ts';

export interface FrontParts {
  readonly http: FastifyInstance;
  readonly access: AccessWatch;
  readonly signIns: SignInGuard;
  readonly changes: RunChanges;
  readonly client: (hostId: string) => AgentClient | null;
  readonly local: PushedRoutesOptions['local'];
  readonly modelBodies: WorkerConfig['modelBodies'];
  readonly avoided: Pick<AvoidedReplicas, 'add'>;
  /** See `OwnTotals`. */
  readonly own: OwnTotalsOptions['own'];
}

/** Milliseconds until a change without a notification is noticed. */
const SWEEP_MS = 60_000;

/** Milliseconds that workers without a server wait for the next one. */
const LINGER_MS = 600_000;

export function makeProxyFront(parts: Parts, made: FrontParts): ProxyFront {
  const { settings, store, log, closing } = parts;
  const { http, access, signIns, changes, client, local } = made;
  const paths = workerPaths(settings.dir);
  const grants = new Grants({
    ...{ store, access, signIns, now: systemNow, sshProxyToken: null },
    notify: (type, data) => {
      workers.notify(type, data);
      if (type !== 'granted') nginx?.requests.renewGeneration();
    },
  });
  closing.add(() => grants.close());
  const routes = new PushedRoutes({
    ...{ store, local, log },
    onRoute: (route) => {
      workers.notify('route', route);
      nginx?.requests.put(route);
      if (route.service) front.onService();
    },
  });
  closing.add(() => routes.close());
  const spools = new WorkerSpools({
    ...{ dir: paths.dir, store, now: systemNow, log },
    // The next request of these tokens must find what their budgets have left.
    onUsed: (tokens) => workers.notify('used', { tokens }),
  });
  closing.add(() => spools.close());
  const desk = new WorkerDesk({
    ...{ store, routes, grants, now: systemNow, log },
    onFigures: (...of) => workers.counted(...of),
    onAvoided: (one) => made.avoided.add(one),
    readOutage: outageReader({ store, now: systemNow }),
    workers: () => workers.ids,
    spools,
  });
  const config = workerConfig(parts, paths, made.modelBodies);
  const workers: ProxyWorkers = new ProxyWorkers({
    ...{ paths, config, log, count: settings.proxyWorkers },
    ...{ build: buildOf(config), node: process.execPath, program: assets.proxyWorkerProgram },
    env: environment(parts.env),
    handlers: (link) => desk.handlers(link),
    known: async () => ({
      ...{ routes: await routes.all(), grants: grants.all },
      generation: nginx?.requests.generation ?? null,
    }),
    keepsItself: (id) => id === nginx?.requests.id,
    onSynced: (id) => grants.hold(id),
    onClosed: (id) => grants.releaseAll(id),
    onAllLost: () => void front.onAllLost(),
    spools,
  });
  const keepTotalsOfNginx = () =>
    keepTotals({
      ...{ control: controlOf(nginxControlSocket(paths)), figures: workers.figures, log },
      services: async () => (await routes.all()).flatMap(({ service }) => service ?? []),
    });
  const nginx =
    settings.proxy === 'nginx'
      ? makeNginx(parts, { ...made, paths, workers, spools, keepTotals: keepTotalsOfNginx })
      : null;
  const socket = new ApiSocket({ path: paths.serverSocket, http: http.server, client });
  const front = new ProxyFront({
    ...{ http: http.server, workers, nginx, socket, log },
    ...{ host: settings.host, port: settings.port },
    endEarlierNginx: () => endEarlierNginx(paths, keepTotalsOfNginx),
    listen: () => listen(http, settings),
    ready: async () => void (await http.ready()),
    isOff: settings.proxyWorkers === 0,
    hasServices: async () => (await routes.all()).length > 0,
  });
  if (settings.proxyWorkers > 0) {
    watchServices(parts, routes, changes);
    const totals = new OwnTotals({ own: made.own, figures: workers.figures });
    closing.add(() => totals.close());
  }
  return front;
}

interface NginxParts extends Pick<FrontParts, 'http' | 'avoided'> {
  readonly paths: WorkerPaths;
  readonly workers: ProxyWorkers;
  readonly spools: WorkerSpools;
  /** See `ServerNginxOptions`. */
  readonly keepTotals: () => Promise<void>;
}

function makeNginx(parts: Parts, made: NginxParts) {
  const { http, avoided, paths, workers, spools, keepTotals } = made;
  const { settings, store, log } = parts;
  const life = new ServerNginx({
    ...{ paths, keepTotals, http: http.server, env: environment(parts.env), log },
    lingerMs: LINGER_MS,
    processes: settings.proxyWorkers,
    servicesDomain: settings.serviceOrigins?.domain ?? null,
    timeoutMs: settings.serviceTimeoutSeconds * 1000,
    hasProxies: settings.trustedProxies.length > 0,
    maxBody: settings.serviceMaxBody,
  });
  const requests: NginxRequests = new NginxRequests({
    ...{ paths, spools, avoided, log, figures: workers.figures },
    tokenMarks: marksOfGuarded(tokensOfSettings(settings)),
    count: (counts) =>
      store.services.addRequests(requests.id, counts, { signals: wokenBy(counts) }),
    onGeneration: (generation) => workers.notify('generation', { generation }),
  });
  return { life, requests } satisfies FrontNginx;
}

function watchServices({ store, log, closing }: Parts, routes: PushedRoutes, changes: RunChanges) {
  const readAll = () => {
    routes.all().catch((error) => log.warn({ err: error }, 'services were not read'));
  };
  changes.listen((runId) => routes.changed(runId));
  if (store.shared) {
    const onSignal = ({ kind, id }: Signal) => kind === 'run' && routes.changed(id);
    closing.add(store.engine.onSignal(onSignal, readAll));
  }
  const sweep = setInterval(() => !routes.isEmpty && readAll(), SWEEP_MS).unref();
  closing.add(() => clearInterval(sweep));
}

function workerConfig(
  { settings, store }: Parts,
  { serverSocket }: WorkerPaths,
  modelBodies: WorkerConfig['modelBodies'],
): WorkerConfig {
  const count = Math.max(1, settings.proxyWorkers);
  return {
    ...{ serverSocket, modelBodies, lingerMs: LINGER_MS },
    trustedProxies: settings.trustedProxies,
    connections: Math.ceil(settings.limits.connections / count),
    origins:
      settings.serviceOrigins === null || settings.url === null
        ? null
        : { pattern: settings.serviceOrigins, serverUrl: settings.url },
    timeoutMs: settings.serviceTimeoutSeconds * 1000,
    maxBody: settings.serviceMaxBody,
    maxHeld: Math.ceil(settings.serviceMaxHeld / count),
    processes: count,
    accessLogPart: settings.accessLogPart,
    logLevel: settings.logLevel,
    intake: intakeSettings(settings),
    ownTokens: tokensOfSettings(settings),
    countsRatesInServer: count > 1 || store.shared,
  };
}

/** Two builds of one version differ by the time of the program's file. */
function buildOf({ ownTokens: _secret, ...config }: WorkerConfig): string {
  const program = assets.proxyWorkerProgram;
  const parts = [PRODUCT_VERSION, program, statSync(program).mtimeMs, config];
  return hash('sha256', JSON.stringify(parts), 'hex').slice(0, 16);
}

/** Workers must not receive the server's settings, keys and database password. */
function environment(env: NodeJS.ProcessEnv): Record<string, string> {
  const kept = Object.entries(env).filter(([name]) => !name.startsWith('DSTACK_'));
  return Object.fromEntries(kept.flatMap(([name, value]) => (value ? [[name, value]] : [])));
}
