/** Makes the HTTP application, with the parts that only its handlers use, and starts it. */

import { randomUUID } from 'node:crypto';
import { type DecisionContext, SECOND } from '@dstack/core';
import type { OtherFigures, ServiceProxy } from '@dstack/proxy';
import { dnsProblem, Intake, ServiceOrigins, TemplateRenderer, trustIn } from '@dstack/proxy';
import { AccessWatch } from '../access/access-watch.ts';
import type { ContainerAgents } from '../agent-downloads/agent-downloads.ts';
import type { DraftedBlobs } from '../blobs/drafts.ts';
import type { SignInGuard } from '../callers/sign-in-guard.ts';
import { ChangeHub, type ChangeHubOptions } from '../changes/change-hub.ts';
import { leadSeconds } from '../clock/clock-watch.ts';
import { systemClock, systemMillis, systemNow } from '../clock/system-clock.ts';
import { refuseDialIns } from '../dial-ins/dial-in-url.ts';
import type { DialIns } from '../dial-ins/dial-ins.ts';
import { FigurePeers } from '../gateways/figure-peers.ts';
import type { GatewayAccess } from '../gateways/gateway-access.ts';
import type { GatewayFigures } from '../gateways/gateway-figures.ts';
import type { ReplicaQuestions } from '../gateways/replica-questions.ts';
import { txtReader } from '../gateways/txt-records.ts';
import { buildHttp } from '../http/app.ts';
import { jobSocketRoutes } from '../http/exec/job-sockets.ts';
import { connectionRules } from '../http/intake/open-connections.ts';
import type { HttpDeps, HttpSettings, KeyMaker } from '../http/ports.ts';
import { tokenizerHub } from '../http/runs/tokenizer-hub.ts';
import { endHttp, Shutdown } from '../http/shutdown.ts';
import { changeRoute } from '../http/streams/change-route.ts';
import { loadMessages } from '../http/streams/load-messages.ts';
import { streamRoutes } from '../http/streams/routes.ts';
import type { ReadAccess } from '../http/streams/stream-access.ts';
import { gitTemplates } from '../http/templates/git-templates.ts';
import { VolumeLooks } from '../http/volumes/volume-looks.ts';
import { WebFiles } from '../http/web-ui/web-files.ts';
import { ImageConfigs } from '../images/image-configs.ts';
import { limitJobRequests } from '../job-tunnels/job-requests.ts';
import type { Engine } from '../loops/engine.ts';
import type { RunChanges } from '../loops/run-changes.ts';
import type { ServerMetrics, ServerMetricsOptions } from '../metrics/server-metrics.ts';
import { OidcProvider } from '../oidc/oidc-provider.ts';
import type { SignInProviders } from '../oidc/sign-in-providers.ts';
import { Outgoing } from '../outgoing/outgoing.ts';
import { hostsOfSettings, OutgoingRules } from '../outgoing/outgoing-rules.ts';
import { assets } from '../process/assets.ts';
import type { OpenFiles } from '../process/open-files.ts';
import type { AvoidedReplicas } from '../service-table/avoided-replicas.ts';
import { credentialReader, intakeSettings, signInGuard } from '../settings/http-settings.ts';
import { ownTraffic } from '../traffic/own-traffic.ts';
import { TrafficPeers } from '../traffic/traffic-peers.ts';
import { type Links, makeServiceProxy, type Supervision } from './links.ts';
import type { Parts } from './parts.ts';
import { makeProxyFront } from './proxy-front.ts';
import type { ServerHost } from './server-host.ts';
import { startSshEntry } from './ssh-entry.ts';
import type { EngineParts } from './work.ts';

export interface HttpParts extends Pick<EngineParts, 'backends' | 'offers'>, Supervision {
  readonly links: Links;
  readonly serverId: string;
  readonly files: OpenFiles;
  /** Null: agents open no connections. */
  readonly dialIns: DialIns | null;
  /** Null: no container fetches its agent. */
  readonly downloads: Pick<ContainerAgents, 'route'> | null;
  readonly blobs: DraftedBlobs;
  readonly changes: RunChanges;
  readonly keys: KeyMaker;
  readonly context: () => DecisionContext;
  readonly settings: HttpSettings;
  readonly host: ServerHost | null;
  /** Statistics and recent requests of services behind gateways, and questions to gateway replicas. */
  readonly gatewayRequests: {
    readonly figures: GatewayFigures;
    readonly access: GatewayAccess;
    readonly questions: ReplicaQuestions;
  };
  readonly avoided: AvoidedReplicas;
  /** Null until the loops have been made. */
  readonly engine: () => Engine | null;
}

export interface StartedHttp {
  /** Where it listens. */
  readonly url: string;
  readonly services: Pick<ServiceProxy, 'leave' | 'pending'>;
  /** Null: switched off. */
  readonly metrics: ServerMetrics | null;
  /** For those who admit callers elsewhere. */
  readonly access: AccessWatch;
  readonly signIns: SignInGuard;
  /** Refuses new requests, and resolves when those under way have ended. */
  readonly end: () => Promise<void>;
}

export async function startHttp(parts: Parts, made: HttpParts): Promise<StartedHttp> {
  const { settings, log, closing } = parts;
  const { links, changes } = made;
  const elsewhere: OtherFigures = {
    get parts() {
      return front.figures.parts;
    },
    partsOf: (runId) => front.figures.partsOf(runId),
    forget: (runId) => front.figures.forget(runId),
  };
  const opened = Promise.withResolvers<string>();
  const deps = {
    ...(await httpDeps(parts, made, elsewhere)),
    ownUrl: () => opened.promise,
    serviceEngine: () => front.engine,
  };
  const { services, metrics, shutdown } = deps;
  const http = buildHttp(deps);
  const accessElsewhere: ReadAccess = async (...asked) => {
    const { access: atGateways } = made.gatewayRequests;
    const [workers, gateways] = await Promise.all([
      front.access(...asked),
      atGateways.read(...asked),
    ]);
    return new Map([...workers, ...gateways]);
  };
  const streams = { ...deps, logStore: links.logs, changes, accessElsewhere };
  streamRoutes(http, streams);
  const hub = changeHub(parts);
  closing.add(() => hub.close());
  changeRoute(http, { ...streams, hub });
  const client = (hostId: string) => links.hosts.client(hostId) ?? made.supervisor.clientOf(hostId);
  jobSocketRoutes(http, { ...deps, client });
  if (made.dialIns) made.dialIns.route(http);
  else refuseDialIns(http);
  made.downloads?.route(http);
  const { access, signIns } = deps;
  const entry = await startSshEntry(parts, {
    ...{ access, signIns, changes, client },
    logs: links.logs,
  });
  if (entry) metrics?.showSshEntry(entry);
  metrics?.showOpenFiles(made.files);
  limitJobRequests(http, links.tunnels, () => performance.now());
  closing.add(() => http.close());
  // Before HTTP: connections that have become WebSockets would keep it open.
  closing.add(() => services.close());
  const front = makeProxyFront(parts, {
    ...{ http, access, signIns, changes, client, local: localAgentOf(made.host) },
    modelBodies: deps.modelBodies,
    avoided: made.avoided,
    own: () => services.figures,
  });
  // Detaches the front of a start that fails later.
  closing.add(() => front.detach({ delayMs: 0, limitMs: 0 }));
  const url = await front.open();
  opened.resolve(url);
  links.tunnels.open((connection) => http.server.emit('connection', connection));
  const end = async () => {
    const { delaySeconds, limitSeconds } = settings.shutdown;
    const times = { delayMs: delaySeconds * 1000, limitMs: limitSeconds * 1000 };
    const ending = endHttp({
      ...{ server: http.server, shutdown, giveUp: () => services.giveUp(), log, ...times },
    });
    const leaving = parts.keepsServices() ? front.detach(times) : front.end(times);
    await Promise.all([ending, leaving]);
  };
  const leave: ServiceProxy['leave'] = (jobId, whenIdle) => {
    const own = services.leave(jobId, whenIdle);
    return front.leave(jobId, whenIdle) && own;
  };
  const pending: ServiceProxy['pending'] = (runId) =>
    front.figures.partsOf(runId).reduce((all, one) => all + one.inFlight, services.pending(runId));
  return { url, services: { leave, pending }, metrics, access, signIns, end };
}

function localAgentOf(host: ServerHost | null) {
  if (host?.access.socket === undefined) return null;
  const { hostId, socket: path, token } = host.access;
  return { hostId, path, token };
}

function changeHub({ store, log, settings }: Parts): ChangeHub {
  const entry = settings.sshEntry?.route ?? null;
  const load: ChangeHubOptions['load'] = (changes) =>
    loadMessages(store, changes, { now: systemNow(), entry, origins: settings.serviceOrigins });
  return new ChangeHub({ changes: store.changes, load, log });
}

/** Bytes of a request to a model, if there is no other limit for requests to services. */
const MAX_MODEL_BODY = 1024 * 1024 * 1024;

async function httpDeps(parts: Parts, made: HttpParts, elsewhere: OtherFigures) {
  const { settings, store, log, env, closing } = parts;
  const {
    links,
    supervisor,
    expectHosts,
    backends,
    offers,
    blobs,
    changes,
    keys,
    context,
    engine,
    avoided,
    gatewayRequests: { figures: gatewayFigures, questions },
  } = made;
  const { shared } = store;
  const access = new AccessWatch({ access: store.access, shared, now: systemNow, log });
  closing.add(() => access.close());
  const signIns = signInGuard(made.settings);
  const credentials = credentialReader(made.settings, made.serverId);
  const chatTemplates = new TemplateRenderer({ program: assets.templateProgram });
  closing.add(() => chatTemplates.close());
  const services = makeServiceProxy(
    parts,
    { hosts: links.hosts, prober: links.prober, supervisor, access, signIns, elsewhere, avoided },
    changes,
  );
  const hubUrl = env.HF_ENDPOINT || 'https://huggingface.co';
  const outgoing = makeOutgoing(parts, hubUrl);
  const { dns: server } = settings.gateways;
  const findDnsProblem: HttpDeps['findDnsProblem'] = (name, gateway) =>
    dnsProblem(name, { ...gateway, server });
  const askReplica: HttpDeps['askReplica'] = (...asked) => questions.ask(...asked);
  const figurePeers = shared ? new FigurePeers(store.peers, gatewayFigures) : null;
  closing.add(() => figurePeers?.close());
  const readTraffic = ownTraffic({
    ...{ server: randomUUID(), services, gateways: gatewayFigures, now: systemMillis },
  });
  const trafficPeers = new TrafficPeers(store.peers, readTraffic);
  closing.add(() => trafficPeers.close());
  const depths = () => engine()?.depths() ?? null;
  const allServices = async () => [
    ...(await services.states()),
    ...(await gatewayFigures.states()),
  ];
  return {
    ...{ store, logs: links.logs, offers, backends, blobs, signIns, keys, context, chatTemplates },
    images: new ImageConfigs({ now: () => performance.now(), outgoing, log }),
    intake: new Intake(intakeSettings(settings)),
    templates: gitTemplates({ rules: outgoing.rules, own: settings.templatesRepo }),
    hub: tokenizerHub(hubUrl, outgoing),
    readTxt: txtReader(server),
    findDnsProblem,
    webUi: await WebFiles.open(assets.webUi),
    origins: serviceOrigins(parts),
    providers: makeProviders(parts),
    ...{
      credentials,
      services,
      gatewayFigures: figurePeers ?? gatewayFigures,
      traffic: (...asked: Parameters<TrafficPeers['gather']>) => trafficPeers.gather(...asked),
      askReplica,
      access,
      shutdown: new Shutdown(),
      files: made.files,
      connections: connectionRules({
        idle: settings.limits.connections,
        files: made.files.limit,
        isProxy: trustIn(settings.trustedProxies),
      }),
      log,
      settings: made.settings,
    },
    metrics: settings.metrics.enabled ? await serverMetrics(parts, depths, allServices) : null,
    modelBodies: { dir: settings.dir, limit: settings.serviceMaxBody || MAX_MODEL_BODY },
    clockLead: () => leadSeconds(systemClock),
    loopsAreRunning: () => engine()?.isRunning ?? false,
    queues: depths,
    volumeLooks: new VolumeLooks(store),
    expectHosts,
    avoided,
  };
}

function serviceOrigins({ settings, store }: Parts): ServiceOrigins | null {
  const { serviceOrigins: pattern, url: serverUrl, trustedProxies } = settings;
  if (pattern === null || serverUrl === null) return null;
  const { services } = store;
  return new ServiceOrigins({ pattern, serverUrl, trust: trustIn(trustedProxies), services });
}

/** The operator need not allow the hosts of other settings a second time. */
function makeOutgoing({ settings, closing }: Parts, hubUrl: string): Outgoing {
  const own = hostsOfSettings(settings.images.defaultRegistry, settings.templatesRepo, hubUrl);
  const outgoing = new Outgoing(new OutgoingRules([...settings.outgoingAllow, ...own]));
  closing.add(() => outgoing.close());
  return outgoing;
}

/** Users cannot have these hosts connected to, unlike those of other settings. */
function makeProviders({ settings, closing }: Parts): SignInProviders {
  const { oidc, url, outgoingAllow } = settings;
  if (url === null || oidc.providers.length === 0) {
    return { all: [], domains: [], requiresChallenge: false };
  }
  const hosts = hostsOfSettings(...oidc.providers.map(({ issuer }) => issuer));
  const outgoing = new Outgoing(new OutgoingRules([...outgoingAllow, ...hosts]));
  const clockSkew = () => Math.round((systemMillis() - Date.now()) / 1000);
  closing.add(() => outgoing.close());
  const shared = { url, outgoing, now: () => performance.now(), clockSkew };
  const all = oidc.providers.map((provider) => new OidcProvider({ ...provider, ...shared }));
  return { all, domains: oidc.domains, requiresChallenge: oidc.requiresChallenge };
}

/** Loaded only if it is enabled. */
async function serverMetrics(
  { store, log }: Parts,
  depths: ServerMetricsOptions['depths'],
  services: ServerMetricsOptions['services'],
): Promise<ServerMetrics> {
  const { ServerMetrics } = await import('../metrics/server-metrics.ts');
  const onError = (error: unknown) => log.warn({ err: error }, 'a metric could not be read');
  const clockLead = () => systemClock.lead && systemClock.lead.ahead / SECOND;
  return new ServerMetrics({ store, now: systemNow, depths, services, onError, clockLead });
}
