/** The HTTP application over a real database in a temporary directory, for tests by injection. */

import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type BackendNote,
  DEFAULT_JOB_SPEC_SETTINGS,
  DEFAULT_RUN_SPEC_SETTINGS,
  type Offer,
  requirementsMatch,
} from '@dstack/core';
import type { OpenPort } from '@dstack/proxy';
import {
  Intake,
  OwnTokens,
  ServiceOrigins,
  ServiceProxy,
  serviceUsage,
  TemplateRenderer,
  trustIn,
} from '@dstack/proxy';
import { openStore, type Store } from '@dstack/store';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { AccessWatch } from '../../access/access-watch.ts';
import { fileBlobs } from '../../blobs/file-blobs.ts';
import { callerAddress } from '../../callers/caller-address.ts';
import { SignInGuard } from '../../callers/sign-in-guard.ts';
import { FileLogStore } from '../../logs/file/file-log-store.ts';
import type { LogStore } from '../../logs/log-store.ts';
import { ServerMetrics } from '../../metrics/server-metrics.ts';
import { outageReader } from '../../outages/outage-reader.ts';
import { OutgoingRules } from '../../outgoing/outgoing-rules.ts';
import { assets } from '../../process/assets.ts';
import { retentionSettings } from '../../retention/retention-settings.ts';
import { serviceTable } from '../../service-table/service-table.ts';
import { credentialReader } from '../../settings/http-settings.ts';
import { ownTraffic } from '../../traffic/own-traffic.ts';
import { buildHttp } from '../app.ts';
import { connectionRules } from '../intake/open-connections.ts';
import { keyMaker } from '../keys.ts';
import type { HttpDeps } from '../ports.ts';
import { createProject } from '../projects/service.ts';
import { admission } from '../proxy/admission.ts';
import { Shutdown } from '../shutdown.ts';
import { gitTemplates } from '../templates/git-templates.ts';
import { createUser } from '../users/service.ts';
import { VolumeLooks } from '../volumes/volume-looks.ts';
import { emptyDatabase } from './empty-database.ts';
import { NO_HINTS } from './offers.ts';

export interface TestServer {
  readonly app: FastifyInstance;
  /** Folder of its files. */
  readonly dir: string;
  readonly store: Store;
  readonly deps: HttpDeps;
  readonly services: ServiceProxy;
  readonly logs: LogStore;
  readonly access: AccessWatch;
  /** Token of the global admin `admin`, who owns project `main`. */
  readonly token: string;
  /** Offers of every project's backends. */
  readonly offers: Offer[];
  /** Notes of backends beside them, by the key of the question. */
  readonly offerNotes: Map<string, BackendNote>;
  /** Moves the clock forward, in seconds. */
  advance(seconds: number): void;
  /** A JSON call; `body` omitted = none. */
  call(path: string, body?: unknown, options?: CallOptions): Promise<TestAnswer>;
  close(): Promise<void>;
}

export interface CallOptions {
  /** Null = no authorization at all. */
  readonly token?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly method?: string;
  readonly raw?: string | Buffer;
}

export interface TestAnswer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look at parts of answers of every shape
  readonly body: any;
  readonly text: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

const ADMIN_TOKEN = 'admin-token';
/** Bytes of a request to a service. */
const MAX_BODY = 16 * 1024 * 1024;
/** Requests that wait for the first replica of one service. */
const MAX_HELD = 3;

const START = Date.UTC(2026, 10, 24, 12) * 1000;

/** `open` connects to the replicas of services; by default there are none. */
export async function startTestServer(
  settings: Partial<HttpDeps['settings']> = {},
  instead: Partial<HttpDeps> = {},
  open: OpenPort = () => Promise.reject(new Error('there is no agent')),
): Promise<TestServer> {
  const dir = await mkdtemp(join(tmpdir(), 'dstack-http-'));
  let time = START;
  // Every read of the clock advances it by a millisecond, so that no two events have the same time.
  const now = () => (time += 1000);
  const log = pino({ level: 'silent' });
  const plain = { encrypt: (text: string) => text, decrypt: (text: string) => text };
  const path = join(dir, 'test.db');
  await writeFile(path, await emptyDatabase(), { mode: 0o600 });
  const store = await openStore({
    url: `sqlite:///${path}`,
    now,
    newId: randomUUID,
    logger: log,
    cipher: plain,
  });
  const offers: Offer[] = [];
  const offerNotes = new Map<string, BackendNote>();
  const logs = new FileLogStore({
    root: join(dir, 'logs'),
    now,
    quotaPerHour: 0,
    onQuota: () => {},
    onSyncError: () => {},
  });
  const access = new AccessWatch({ access: store.access, shared: false, now, log });
  const { failedLoginsPerMinute = 0, trustedProxies = [], url = null } = settings;
  const signIns = new SignInGuard({
    limit: failedLoginsPerMinute,
    addressOf: callerAddress(trustedProxies),
    now: () => now() / 1000,
  });
  const services = new ServiceProxy({
    services: serviceTable(store.services),
    readOutage: outageReader({ store, now: now }),
    open,
    admit: admission({ store, now, sshProxyToken: null, access, signIns }),
    onModelUse: serviceUsage({ modelUsage: store.modelUsage, now, log }),
    ownTokens: new OwnTokens({
      isToken: store.access.isToken,
      settings: [ADMIN_TOKEN],
      now: () => now() / 1000,
      log,
    }),
    trust: trustIn(settings.trustedProxies ?? []),
    timeoutMs: 1000,
    maxBody: MAX_BODY,
    maxHeld: MAX_HELD,
    shared: false,
    now,
    log,
  });
  const chatTemplates = new TemplateRenderer({
    program: assets.templateProgram,
    timeoutMs: 15_000,
  });
  const credentials = credentialReader({ trustedProxies, url }, await store.meta.serverId());
  const { serviceOrigins: pattern = null } = settings;
  const trust = trustIn(trustedProxies);
  const origins =
    pattern &&
    new ServiceOrigins({ pattern, serverUrl: url ?? '', trust, services: store.services });
  const made = { store, origins, logs, log, services, access, signIns, credentials, chatTemplates };
  const gateways = { parts: () => [] };
  const read = ownTraffic({ server: 'test', services, gateways, now: () => now() / 1000 });
  const traffic: HttpDeps['traffic'] = async (...asked) => ({
    ...{ parts: read(...asked), servers: 1, missing: 0 },
  });
  const ownUrl = async (): Promise<string> => app.listeningOrigin;
  const parts = { ...made, traffic, now, offers, offerNotes, dir, settings };
  const deps: HttpDeps = { ...testDeps(parts), ownUrl, ...instead };
  const app = buildHttp(deps);
  const admin = await createUser(
    deps,
    { username: 'admin', global_role: 'admin', email: null, active: true },
    null,
    ADMIN_TOKEN,
  );
  await createProject(
    deps,
    { project_name: 'main', is_public: false, templates_repo: null },
    admin,
  );
  return {
    app,
    dir,
    store,
    deps,
    services,
    logs,
    access,
    token: ADMIN_TOKEN,
    offers,
    offerNotes,
    advance: (seconds) => {
      time += seconds * 1_000_000;
    },
    call: (path, body, options = {}) => call(app, path, body, options),
    close: async () => {
      await services.close();
      access.close();
      await app.close();
      await chatTemplates.close();
      await logs.close();
      await store.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

interface Parts
  extends Pick<
    HttpDeps,
    | 'store'
    | 'logs'
    | 'log'
    | 'services'
    | 'traffic'
    | 'origins'
    | 'access'
    | 'signIns'
    | 'credentials'
    | 'chatTemplates'
  > {
  readonly now: () => number;
  readonly offers: readonly Offer[];
  readonly offerNotes: ReadonlyMap<string, BackendNote>;
  readonly dir: string;
  readonly settings: Partial<HttpDeps['settings']>;
}

function testDeps({
  now,
  offers,
  offerNotes,
  dir,
  settings,
  ...made
}: Parts): Omit<HttpDeps, 'ownUrl'> {
  return {
    ...made,
    offers: {
      answer: async (_project, wanted) => ({
        offers: new Map(
          wanted.map(({ key, requirements }) => [
            key,
            offers.filter((offer) => requirementsMatch(requirements, offer)),
          ]),
        ),
        notes: wanted.flatMap(({ key }) => offerNotes.get(key) ?? []),
      }),
    },
    backends: {
      of: async () => [],
      find: async () => null,
      state: async () => ({
        abilities: [...new Set(offers.map((offer) => offer.backend))].map((name) => ({
          name,
          createsInstances: true,
        })),
        localOff: null,
        hints: NO_HINTS,
      }),
    },
    modelBodies: { dir, limit: 128 * 1024 * 1024 },
    images: { find: async () => null },
    blobs: fileBlobs(join(dir, 'blobs')),
    intake: new Intake({
      memory: 64 * 1024 * 1024,
      pace: { graceMs: 30_000, bytesPerSecond: 8192 },
    }),
    keys: keyMaker(),
    providers: { all: [], domains: [], requiresChallenge: false },
    templates: gitTemplates({ rules: new OutgoingRules([]), own: null, protocols: 'file' }),
    hub: () => Promise.reject(new Error('there is no hub')),
    readTxt: async () => [],
    findDnsProblem: async () => null,
    gatewayFigures: { of: async () => null },
    askReplica: async () => null,
    shutdown: new Shutdown(),
    files: { admitWork: () => {}, open: 10, limit: 100 },
    connections: connectionRules({ idle: 1000, files: 100_000, isProxy: () => false }),
    metrics: new ServerMetrics({ store: made.store, now, depths: () => null, onError: () => {} }),
    loopsAreRunning: () => true,
    clockLead: () => 0,
    serviceEngine: () => ({ name: 'server', problem: null }),
    queues: () => ({ run: { waiting: 2, running: 1, delayed: 0 } }),
    volumeLooks: new VolumeLooks(made.store),
    expectHosts: () => {},
    webUi: null,
    context: () => ({
      now: now(),
      newId: randomUUID,
      settings: {
        unreachableTolerance: null,
        maxOffersTried: 25,
        gatewayMoveSeconds: 1800,
        jobNetworkMode: 1,
        localMaxInstances: 4,
      },
    }),
    settings: {
      codeUploadLimit: 2_097_152,
      retention: retentionSettings({}),
      projectsPerUser: 10,
      localProjects: new Set(['main', 'trusted']),
      permissions: {
        allow_non_admins_create_projects: true,
        allow_non_admins_manage_ssh_fleets: true,
        allow_managers_manage_secrets: false,
      },
      waitingRunsPerUser: 2000,
      runSpecs: DEFAULT_RUN_SPEC_SETTINGS,
      jobSpecs: DEFAULT_JOB_SPEC_SETTINGS,
      defaultRegistry: null,
      backendTypes: ['aws', 'gcp', 'kubernetes', 'slurm'],
      defaultCredentials: true,
      maxGatewayReplicas: 9,
      gatewayDomains: new Map(),
      acmeChallenge: 'http-01',
      gatewayPorts: { http: 80, https: 443 },
      sshProxyToken: null,
      sshEntry: null,
      serviceOrigins: null,
      failedLoginsPerMinute: 0,
      trustedProxies: [],
      url: null,
      metricsToken: null,
      templatesRepo: null,
      ...settings,
    },
  };
}

async function call(
  app: FastifyInstance,
  path: string,
  body: unknown,
  options: CallOptions,
): Promise<TestAnswer> {
  const token = options.token === undefined ? ADMIN_TOKEN : options.token;
  const payload = options.raw ?? (body === undefined ? undefined : JSON.stringify(body));
  const response = await app.inject({
    method: (options.method ?? 'POST') as 'POST',
    url: path,
    headers: {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(payload === undefined ? {} : { 'content-type': 'application/json' }),
      ...options.headers,
    },
    ...(payload === undefined ? {} : { payload }),
  });
  const isJson = String(response.headers['content-type']).includes('json');
  return {
    status: response.statusCode,
    body: isJson ? JSON.parse(response.body) : response.body,
    text: response.body,
    headers: response.headers,
  };
}
