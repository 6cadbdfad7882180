import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Backend,
  inspectMachine,
  loadCatalog,
  localBackend,
  machineOf,
} from '@dstack/backends';
import type { ServerConfig } from '@dstack/contract';
import { type RunContext, requirementsMatch } from '@dstack/core';
import { openStore, type Store, StoreError } from '@dstack/store';
import { assets } from './assets.ts';
import { fileBlobs } from './blobs/file-blobs.ts';
import { systemNow } from './clock.ts';
import { applyServerConfig, bootstrap } from './config/bootstrap.ts';
import { createCipher, type EncryptionKey, MissingKeyError } from './config/cipher.ts';
import { configPath, loadServerConfig } from './config/config-file.ts';
import { decisionContext } from './decision-context.ts';
import { forbiddenPath, isDiskFull } from './disk-trouble.ts';
import { Drain } from './effects/drain.ts';
import { effectIsOurs } from './effects/effect-owner.ts';
import { effects } from './effects/effects.ts';
import { JobStarter } from './effects/start-job.ts';
import { Hosts } from './hosts/hosts.ts';
import { ImagePlans } from './hosts/image-plans.ts';
import { type LocalAgent, localAgent } from './hosts/local-agent.ts';
import { localExecutor } from './hosts/local-executor.ts';
import { Programs } from './hosts/ssh/programs.ts';
import { SshFleets } from './hosts/ssh/ssh-fleets.ts';
import { Housekeeping } from './housekeeping/housekeeping.ts';
import { buildHttp } from './http/app.ts';
import { keyMaker } from './http/keys.ts';
import { admission } from './http/proxy/admission.ts';
import { tokenizerHub } from './http/runs/tokenizer-hub.ts';
import { streamRoutes } from './http/streams/routes.ts';
import { gitTemplates } from './http/templates/git-templates.ts';
import { httpSettings } from './http-settings.ts';
import { createLogger, type Logger } from './logging.ts';
import { openLogs } from './logs/open-logs.ts';
import { Engine } from './loops/engine.ts';
import { LogQuota } from './loops/log-quota.ts';
import { RunChanges } from './loops/run-changes.ts';
import type { ServerMetrics, ServerMetricsOptions } from './metrics/server-metrics.ts';
import { instanceOffers } from './offers/instance-offers.ts';
import { offerSource } from './offers/offer-source.ts';
import { type ProjectBackends, projectBackends } from './offers/project-backends.ts';
import { Prober } from './proxy/probes/prober.ts';
import { ServiceProxy } from './proxy/service-proxy.ts';
import {
  compileSettings,
  listensOnLoopback,
  type ServerOptions,
  type ServerSettings,
} from './settings.ts';
import { StartError } from './start-error.ts';

export interface RunningServer {
  /** Where clients reach it, `http://127.0.0.1:3000`. */
  readonly url: string;
  readonly adminToken: string;
  /** The token is new: show it now, it is not shown again. */
  readonly firstStart: boolean;
  /** Project to offer to the command line as its default. */
  readonly projectName: string;
  /** Null: only if no other project is the default. */
  readonly updateDefaultProject: boolean | null;
  /** How jobs run on this machine; null = they do not. */
  readonly local: 'docker' | 'process' | null;
  readonly configPath: string;
  readonly log: Logger;
  /** Ends requests and passes under way; jobs go on. */
  close(): Promise<void>;
}

/** Throws `StartError` or `SettingsError` with a message for the person who started it. */
export async function startServer(
  options: ServerOptions = {},
  env: NodeJS.ProcessEnv = process.env,
): Promise<RunningServer> {
  const settings = compileSettings(env, options);
  try {
    return await start(settings, env);
  } catch (error) {
    throw startError(error, settings) ?? error;
  }
}

/** What a person can do about the disk; null for everything else. */
function startError(error: unknown, settings: ServerSettings): StartError | null {
  if (isDiskFull(error)) {
    return new StartError(`no space left on the disk of ${settings.dir} or of the database`, {
      next: 'make room and start again; nothing was lost',
      cause: error,
    });
  }
  const path = forbiddenPath(error);
  if (path === null) return null;
  return new StartError(`${path} cannot be used: ${(error as Error).message}`, {
    next: 'let this user read and write there, or set DSTACK_SERVER_DIR',
    cause: error,
  });
}

async function start(settings: ServerSettings, env: NodeJS.ProcessEnv): Promise<RunningServer> {
  const log = createLogger({ level: settings.logLevel, format: settings.logFormat });
  await mkdir(settings.dir, { recursive: true, mode: 0o700 });
  const config = settings.configDisabled ? EMPTY : (await loadServerConfig(settings.dir)).config;
  const store = await openDatabase(settings, config.encryption?.keys ?? [], log);
  const closing: (() => Promise<void>)[] = [() => store.close()];
  const close = async () => {
    for (const step of closing.splice(0).reverse()) await step();
  };
  try {
    return await assemble({ settings, log, config, store, env, closing, close });
  } catch (error) {
    await close();
    throw error;
  }
}

const EMPTY: ServerConfig = {
  projects: [],
  encryption: null,
  default_permissions: null,
  plugins: null,
};

interface Parts {
  readonly settings: ServerSettings;
  readonly log: Logger;
  readonly config: ServerConfig;
  readonly store: Store;
  readonly env: NodeJS.ProcessEnv;
  /** Steps that undo what was started, last one first. */
  readonly closing: (() => Promise<void>)[];
  readonly close: () => Promise<void>;
}

async function assemble(parts: Parts): Promise<RunningServer> {
  const { settings, log, config, store, env, closing, close } = parts;
  const keys = keyMaker();
  const context = decisionContext(settings);
  const forHttp = httpSettings(settings, config);
  const start = { store, keys, context, settings: forHttp, log, adminToken: settings.adminToken };
  const main = await bootstrap(start);
  await applyServerConfig(start, main.admin, config);

  const serverId = await store.meta.serverId();
  const quota = new LogQuota(store);
  const logs = openLogs({
    dir: settings.dir,
    store,
    log,
    now: systemNow,
    quotaPerHour: settings.limits.logQuotaPerHour,
    onQuota: (ref, breach) => quota.breached(ref.jobId, breach),
  });
  closing.push(() => logs.close());
  const prober = new Prober({
    store,
    log,
    now: systemNow,
    newId: randomUUID,
    client: (hostId) => hosts.client(hostId),
  });
  closing.push(async () => prober.close());
  const onState = prober.hear;
  const hosts: Hosts = new Hosts({
    store,
    logs,
    serverId,
    owner: randomUUID(),
    log,
    now: systemNow,
    onState,
    onConnected: (hostId) => imagePlans.hear(hostId),
  });
  closing.push(() => hosts.close());
  const imagePlans = new ImagePlans({
    store,
    log,
    settings: settings.images.onHosts,
    defaultRegistry: settings.images.defaultRegistry,
    hosts: () => hosts.ids,
    client: (hostId) => hosts.client(hostId),
    now: systemNow,
  });
  closing.push(async () => imagePlans.close());
  const sshFleets = makeSshFleets(parts, hosts, serverId);
  const executor = await executorOfThisMachine(parts);
  const agent = executor ? agentOfThisMachine(parts, executor, serverId) : null;
  const backends = await makeBackends(parts, executor, agent?.hostId ?? '');
  const offers = offerSource(backends, log);
  const blobs = store.shared ? store.files.blobs : fileBlobs(join(settings.dir, 'blobs'));

  const changes = new RunChanges();
  const unhear = store.runs.onChangedElsewhere((runId) => changes.emit(runId));
  closing.push(async () => unhear());
  const services = makeServiceProxy(parts, hosts, changes);
  let engine: Engine | null = null;
  const metrics = settings.metrics.enabled
    ? await serverMetrics(parts, () => engine?.depths() ?? null)
    : null;
  const deps = {
    store,
    logs,
    offers,
    blobs,
    keys,
    context,
    templates: gitTemplates(),
    hub: tokenizerHub(env.HF_ENDPOINT || 'https://huggingface.co'),
    services,
    metrics,
    loopsAreRunning: () => engine?.isRunning ?? false,
    log,
    settings: forHttp,
  };
  const http = buildHttp(deps);
  streamRoutes(http, { ...deps, logStore: logs, changes });
  closing.push(() => http.close());
  // Before HTTP: connections that have become WebSockets would keep it open.
  closing.push(() => services.close());
  const url = await listen(http, settings);
  engine = makeEngine(parts, {
    hosts,
    sshFleets,
    backends,
    offers,
    context,
    changes,
    quota,
    blobs,
    url,
    services,
    metrics,
  });
  closing.push(() => engine?.close() ?? Promise.resolve());
  // Before the loops end: they wait for deployments under way.
  closing.push(async () => sshFleets.close());
  await engine.start();
  await sshFleets.start();
  const housekeeping = new Housekeeping({
    store,
    log,
    now: systemNow,
    events: settings.eventsTtlSeconds,
    metricsOfRunningJobs: settings.limits.metricsRunningTtlSeconds,
    metricsOfFinishedJobs: settings.limits.metricsFinishedTtlSeconds,
    healthChecks: settings.limits.healthTtlSeconds,
  });
  closing.push(() => housekeeping.close());
  if (agent) await hosts.add(localAccess(agent));
  return {
    url: settings.url ?? url,
    adminToken: main.adminToken,
    firstStart: main.firstStart,
    projectName: 'main',
    updateDefaultProject: settings.updateDefaultProject,
    local: executor,
    configPath: configPath(settings.dir),
    log,
    close,
  };
}

async function openDatabase(
  settings: ServerSettings,
  keys: readonly EncryptionKey[],
  log: Logger,
): Promise<Store> {
  const cipher = createCipher(keys);
  const { databaseUrl: url, eventsTtlSeconds } = settings;
  const store = await openStore({
    url,
    cipher,
    now: systemNow,
    newId: randomUUID,
    logger: log,
    storeEvents: eventsTtlSeconds > 0,
    onStatement: settings.sqlEcho ? (sql) => log.info({ sql }, 'statement') : undefined,
  }).catch((error: unknown) => {
    if (error instanceof StoreError) {
      throw new StartError(error.message, { next: error.fix, cause: error });
    }
    throw error;
  });
  try {
    const sample = await store.meta.encryptedSample();
    if (sample !== null) cipher.decrypt(sample);
    return store;
  } catch (error) {
    await store.close();
    if (!(error instanceof MissingKeyError)) throw error;
    throw new StartError(`the database holds values that cannot be decrypted: ${error.message}`, {
      next: `put the key back into encryption.keys of ${configPath(settings.dir)}`,
      cause: error,
    });
  }
}

/**
 * Jobs here are other people's code on this machine: by default only for `main`, and only while
 * nobody but this machine can reach the server.
 */
async function executorOfThisMachine({ settings, env, log }: Parts) {
  const { local, host } = settings;
  if (local.projects?.length === 0) return null;
  if (local.projects === null && !listensOnLoopback(host)) {
    log.info(
      'this machine runs no jobs, since the server is open to others (DSTACK_LOCAL_PROJECTS)',
    );
    return null;
  }
  return await localExecutor(local.executor, env.DOCKER_HOST);
}

async function makeBackends(
  { settings, store }: Parts,
  executor: 'docker' | 'process' | null,
  hostId: string,
): Promise<ProjectBackends> {
  const hostname = settings.url ? new URL(settings.url).hostname : '127.0.0.1';
  // Until the agent has told what it found, which is more and of all vendors.
  const looked = await inspectMachine();
  const local: Backend | null = executor
    ? localBackend({
        executor,
        hostId,
        hostname,
        machine: async () => machineOf((await store.hosts.byId(hostId))?.facts ?? null) ?? looked,
        matches: requirementsMatch,
      })
    : null;
  const names = settings.local.projects ?? ['main'];
  return projectBackends({
    store,
    local,
    catalog: loadCatalog(assets.catalog),
    localProjects: new Set(names.map((name) => name.toLowerCase())),
  });
}

interface EngineParts {
  readonly hosts: Hosts;
  readonly sshFleets: SshFleets;
  readonly backends: ProjectBackends;
  readonly offers: ReturnType<typeof offerSource>;
  readonly context: () => RunContext;
  readonly changes: RunChanges;
  readonly quota: LogQuota;
  readonly blobs: Store['files']['blobs'];
  readonly url: string;
  readonly services: ServiceProxy;
  readonly metrics: ServerMetrics | null;
}

/** Loaded only where it is wanted. */
async function serverMetrics(
  { store, log }: Parts,
  depths: ServerMetricsOptions['depths'],
): Promise<ServerMetrics> {
  const { ServerMetrics } = await import('./metrics/server-metrics.ts');
  const onError = (error: unknown) => log.warn({ err: error }, 'a metric could not be taken');
  return new ServerMetrics({ store, now: systemNow, depths, onError });
}

/** Services without a gateway: over the links that there are to the agents of their hosts. */
function makeServiceProxy(
  { settings, store, log }: Parts,
  hosts: Hosts,
  changes: RunChanges,
): ServiceProxy {
  const proxy = new ServiceProxy({
    services: store.services,
    open: async ({ hostId, jobId, port }) => {
      const agent = hosts.client(hostId);
      if (!agent) throw new Error(`no link to host ${hostId}`);
      return await agent.openPort(jobId, port);
    },
    admit: admission({ store, now: systemNow, sshProxyToken: null }),
    timeoutMs: settings.serviceTimeoutSeconds * 1000,
    shared: store.shared,
    now: systemNow,
    log,
  });
  changes.listen((runId) => proxy.changed(runId));
  return proxy;
}

function makeSshFleets({ settings, store, log }: Parts, hosts: Hosts, serverId: string): SshFleets {
  const cacheDir = join(settings.dir, 'cache');
  const programs = new Programs({ agentDir: assets.agentBundle, cacheDir });
  return new SshFleets({ store, hosts, programs, serverId, log, now: systemNow });
}

function makeEngine({ settings, store, log }: Parts, parts: EngineParts): Engine {
  const { hosts, sshFleets, backends, offers, context, changes, quota, blobs, url } = parts;
  const { services, metrics } = parts;
  const starter = new JobStarter({
    store,
    blobs,
    defaultRegistry: settings.images.defaultRegistry,
    serverUrl: settings.url ?? url,
  });
  const effect = effects({
    store,
    hosts,
    sshFleets,
    backends,
    starter,
    drain: new Drain({ store, services, now: systemNow }),
    log,
    fleetOffers: instanceOffers(offers),
  });
  return new Engine({
    store,
    offers,
    effect,
    effectIsOurs: effectIsOurs({ store, hosts }),
    context,
    changes,
    quota,
    log,
    owner: randomUUID(),
    observer: metrics,
  });
}

function agentOfThisMachine(
  { settings, store }: Parts,
  executor: 'docker' | 'process',
  serverId: string,
): LocalAgent {
  return localAgent({
    stateDir: join(settings.dir, 'agent'),
    program: assets.agentProgram,
    executor,
    serverId,
    shared: store.shared,
  });
}

function localAccess(agent: LocalAgent) {
  const { hostId, dial, token } = agent;
  return { hostId, dial, token, prepare: () => agent.ensureRunning() };
}

async function listen(
  http: { listen(options: { host: string; port: number }): Promise<string> },
  settings: ServerSettings,
): Promise<string> {
  const { host, port } = settings;
  try {
    return await http.listen({ host, port });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    throw new StartError(`port ${port} on ${host} is in use, perhaps by another dstack server`, {
      next: 'stop that program, or start this server with --port',
      cause: error,
    });
  }
}
