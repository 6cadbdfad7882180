import type { EjectedReplica } from '@dstack/proxy';
import { recordRestore } from '../backup/restored.ts';
import { draftedInMemory } from '../blobs/drafts.ts';
import { fileBlobs } from '../blobs/file-blobs.ts';
import { backendHost } from '../capacity/backend-host.ts';
import { OpenedBackends } from '../capacity/opened-backends.ts';
import { systemClock, systemMillis } from '../clock/system-clock.ts';
import { applyServerConfig, type Bootstrapped, bootstrap } from '../config/bootstrap.ts';
import { GatewayAccess } from '../gateways/gateway-access.ts';
import { GatewayFigures } from '../gateways/gateway-figures.ts';
import { ReplicaQuestions } from '../gateways/replica-questions.ts';
import { keyMaker } from '../http/keys.ts';
import type { Engine } from '../loops/engine.ts';
import { RunChanges } from '../loops/run-changes.ts';
import { offerSource } from '../offers/offer-source.ts';
import { serverFolder } from '../process/server-folders.ts';
import { AvoidedReplicas } from '../service-table/avoided-replicas.ts';
import { httpSettings } from '../settings/http-settings.ts';
import { simBackends } from '../sim/sim-backends.ts';
import { decisionContext } from './decision-context.ts';
import { openDialIns, openDownloads } from './dial-ins.ts';
import { makeGatewayLinks } from './gateways.ts';
import { startHttp } from './http.ts';
import { makeLinks, makeSupervisor } from './links.ts';
import { openCatalog } from './open-catalog.ts';
import type { Parts } from './parts.ts';
import { makeWorkerRemoval, startRouterSync } from './routers.ts';
import { type LocalMode, makeBackends, openServerHost } from './server-host.ts';
import { shareServerHost } from './share-server-host.ts';
import { startSims } from './start-sims.ts';
import { makeEngine, startRetention, startSweeper } from './work.ts';

/** The facts about a started server. */
export interface Assembled {
  readonly main: Bootstrapped;
  /** Where it listens. */
  readonly url: string;
  readonly local: LocalMode;
}

/** Makes all parts, connects them and starts them; `given.closing` ends what was started. */
export async function assemble(given: Parts): Promise<Assembled> {
  const { settings, log, config, store, closing, files } = given;
  const keys = keyMaker();
  const context = decisionContext(settings, store.cipher, { files });
  const forHttp = httpSettings(settings, config);
  const start = { store, keys, context, settings: forHttp, log, adminToken: settings.adminToken };
  const main = await bootstrap(start);
  // The setting is that of the first start; the admin may have another token by now.
  const parts: Parts = { ...given, settings: { ...settings, adminToken: main.adminToken } };
  await applyServerConfig(start, main.admin, config);
  const restored = await recordRestore(store);
  if (restored) log.warn(restored, 'the database was restored from a backup');

  const serverId = await store.meta.serverId();
  const links = makeLinks(parts, serverId, files, (...of) => backends.find(...of));
  const { hosts } = links;
  const supervision = makeSupervisor(parts, hosts, serverId, (...of) => backends.find(...of));
  const { supervisor, programs, mayDial } = supervision;
  const local = await openServerHost(parts, serverId);
  const { host, use } = local;
  await shareServerHost(parts, local);
  const sims = await simBackends(settings, serverId);
  if (sims) closing.add(() => sims.close());
  const { catalog, catalogNote } = await openCatalog(parts);
  const dialIns = await openDialIns(parts);
  const downloads = await openDownloads(parts, dialIns, programs);
  const opened = new OpenedBackends({
    ...{ store, log, kinds: settings.backendKinds },
    onReport: (instanceId) => hosts.retryNow(instanceId),
    host: backendHost({
      ...{ serverId, programs, dialIns, downloads, catalog, catalogNote, mayDial },
      leaseSeconds: settings.agentLeaseSeconds,
      ...{ facts: store.meta, sharedFacts: store.shared ? store.meta : null },
    }),
  });
  closing.add(() => opened.close());
  const backends = makeBackends(parts, hosts, supervisor, local, {
    ...{ sims, opened, catalog, catalogNote },
  });
  const offers = offerSource(backends, log);
  const blobs = store.shared
    ? draftedInMemory(store.files.blobs)
    : fileBlobs(serverFolder(settings.dir, 'blobs'));
  const changes = new RunChanges();
  closing.add(store.runs.onChangedElsewhere((runId) => changes.emit(runId)));
  startRouterSync(parts, links, supervision, changes);
  const made = {
    serverId,
    links,
    files,
    ...supervision,
    dialIns,
    downloads,
    backends,
    offers,
    context,
    changes,
    blobs,
  };

  let engine: Engine | null = null;
  const avoided = new AvoidedReplicas({ store, now: systemMillis, log });
  const gatewayRequests = {
    onAvoided: (one: EjectedReplica) => avoided.add(one),
    figures: new GatewayFigures({ services: store.services, now: systemMillis }),
    access: new GatewayAccess(store.services),
    questions: new ReplicaQuestions(store.shared ? store.peers : null),
  };
  closing.add(() => gatewayRequests.questions.close());
  const forHandlers = {
    ...made,
    gatewayRequests,
    avoided,
    keys,
    host,
    settings: forHttp,
    engine: () => engine,
  };
  const { url, services, metrics, end, ...admission } = await startHttp(parts, forHandlers);
  const gateways = makeGatewayLinks(parts, {
    ...{ ...made, ...admission, metrics, serverHost: host, gatewayRequests },
  });
  const workers = makeWorkerRemoval(parts, links, supervision, async (runId) => {
    const behindGateway = await gatewayRequests.figures.of(runId);
    return services.pending(runId) + (behindGateway?.inFlight ?? 0);
  });
  engine = makeEngine(parts, { ...made, services, workers, gateways, metrics, serverHost: host });
  closing.add(() => engine?.close());
  closing.add(systemClock.onJump(() => engine?.timeJumped()));
  // Before the loops end: they wait for deployments under way.
  closing.add(() => supervisor.close());
  // Servers of an older version may have released claims since.
  await store.quotas.recount();
  await engine.start();
  if (sims) await startSims(parts, sims);
  await opened.start();
  await supervisor.start();
  await gateways.start();
  startRetention(parts, { links, blobs });
  startSweeper(parts, { backends, serverId });
  if (host) await supervisor.keep(host.access);
  // The first step of closing: requests under way still need all other parts.
  closing.add(end);
  return { main, url, local: use };
}
