import { join } from 'node:path';
import { AccessWatch } from '../access/access-watch.ts';
import { assets } from '../assets.ts';
import { draftedInMemory } from '../blobs/drafts.ts';
import { fileBlobs } from '../blobs/file-blobs.ts';
import { systemNow } from '../clock.ts';
import { applyServerConfig, type Bootstrapped, bootstrap } from '../config/bootstrap.ts';
import { decisionContext } from '../decision-context.ts';
import { keepLinked } from '../hosts/keep-linked.ts';
import { buildHttp } from '../http/app.ts';
import { Intake } from '../http/intake/intake.ts';
import { keyMaker } from '../http/keys.ts';
import { TemplateRenderer } from '../http/proxy/models/template-renderer.ts';
import { tokenizerHub } from '../http/runs/tokenizer-hub.ts';
import { endHttp, Shutdown } from '../http/shutdown.ts';
import { streamRoutes } from '../http/streams/routes.ts';
import { gitTemplates } from '../http/templates/git-templates.ts';
import { httpSettings, intakeSettings, signInGuard } from '../http-settings.ts';
import { ImageConfigs } from '../images/image-configs.ts';
import { limitJobRequests } from '../job-tunnels/job-requests.ts';
import type { Engine } from '../loops/engine.ts';
import { RunChanges } from '../loops/run-changes.ts';
import type { ServerMetrics, ServerMetricsOptions } from '../metrics/server-metrics.ts';
import { offerSource } from '../offers/offer-source.ts';
import { Outgoing } from '../outgoing/outgoing.ts';
import { hostsOfSettings, OutgoingRules } from '../outgoing/outgoing-rules.ts';
import { makeLinks, makeServiceProxy, makeSshFleets } from './links.ts';
import { listen } from './listen.ts';
import type { Parts } from './parts.ts';
import { type LocalUse, makeBackends, serverMachine } from './this-machine.ts';
import { makeEngine, startHousekeeping } from './work.ts';

/** What there is to say about a server that has started. */
export interface Assembled {
  readonly main: Bootstrapped;
  /** Where it listens. */
  readonly url: string;
  readonly local: LocalUse;
}

/** Makes all parts, joins them and starts them; what is begun is left to `parts.closing`. */
export async function assemble(parts: Parts): Promise<Assembled> {
  const { settings, log, config, store, env, closing } = parts;
  const keys = keyMaker();
  const context = decisionContext(settings, store.cipher);
  const forHttp = httpSettings(settings, config);
  const start = { store, keys, context, settings: forHttp, log, adminToken: settings.adminToken };
  const main = await bootstrap(start);
  await applyServerConfig(start, main.admin, config);

  const serverId = await store.meta.serverId();
  const links = makeLinks(parts, serverId);
  const { hosts, logs } = links;
  const sshFleets = makeSshFleets(parts, hosts, serverId);
  const local = await serverMachine(parts, serverId);
  const { machine, use } = local;
  const backends = makeBackends(parts, hosts, local);
  const offers = offerSource(backends, log);
  const blobs = store.shared
    ? draftedInMemory(store.files.blobs)
    : fileBlobs(join(settings.dir, 'blobs'));
  const changes = new RunChanges();
  closing.add(store.runs.onChangedElsewhere((runId) => changes.emit(runId)));
  const access = new AccessWatch({
    ...{ access: store.access, shared: store.shared, now: systemNow, log },
  });
  closing.add(() => access.close());
  const signIns = signInGuard(forHttp, systemNow);
  const chatTemplates = new TemplateRenderer({ program: assets.templateProgram });
  closing.add(() => chatTemplates.close());
  const services = makeServiceProxy(parts, { hosts, sshFleets, access, signIns }, changes);

  const hubUrl = env.HF_ENDPOINT || 'https://huggingface.co';
  const outgoing = makeOutgoing(parts, hubUrl);

  const shutdown = new Shutdown();
  let engine: Engine | null = null;
  const metrics = settings.metrics.enabled
    ? await serverMetrics(parts, () => engine?.depths() ?? null)
    : null;
  const deps = {
    store,
    logs,
    offers,
    backends,
    images: new ImageConfigs({ now: Date.now, outgoing, log }),
    blobs,
    intake: new Intake(intakeSettings(settings)),
    signIns,
    keys,
    context,
    chatTemplates,
    templates: gitTemplates({ rules: outgoing.rules, own: settings.templatesRepo }),
    hub: tokenizerHub(hubUrl, outgoing),
    services,
    access,
    shutdown,
    metrics,
    loopsAreRunning: () => engine?.isRunning ?? false,
    expectHosts: () => sshFleets.expectHosts(),
    log,
    settings: forHttp,
  };
  const http = buildHttp(deps);
  streamRoutes(http, { ...deps, logStore: logs, changes });
  limitJobRequests(http, links.tunnels, Date.now);
  closing.add(() => http.close());
  // Before HTTP: connections that have become WebSockets would keep it open.
  closing.add(() => services.close());
  const url = await listen(http, settings);
  links.tunnels.open((connection) => http.server.emit('connection', connection));

  const workParts = { links, sshFleets, backends, offers, context, changes, blobs };
  engine = makeEngine(parts, { ...workParts, services, metrics, machine });
  closing.add(() => engine?.close());
  // Before the loops end: they wait for deployments under way.
  closing.add(() => sshFleets.close());
  await engine.start();
  await sshFleets.start();
  startHousekeeping(parts);
  if (machine) closing.add(await keepLinked(hosts, machine.access, log));
  // The first step of closing: requests under way still need all other parts.
  closing.add(() =>
    endHttp({
      ...{ server: http.server, shutdown, giveUp: () => services.giveUp(), log },
      delayMs: settings.shutdown.delaySeconds * 1000,
      limitMs: settings.shutdown.limitSeconds * 1000,
    }),
  );
  return { main, url, local: use };
}

/** Hosts that the operator has configured need not be allowed once more. */
function makeOutgoing({ settings, closing }: Parts, hubUrl: string): Outgoing {
  const own = hostsOfSettings(settings.images.defaultRegistry, settings.templatesRepo, hubUrl);
  const outgoing = new Outgoing(new OutgoingRules([...settings.outgoingAllow, ...own]));
  closing.add(() => outgoing.close());
  return outgoing;
}

/** Loaded only where it is wanted. */
async function serverMetrics(
  { store, log }: Parts,
  depths: ServerMetricsOptions['depths'],
): Promise<ServerMetrics> {
  const { ServerMetrics } = await import('../metrics/server-metrics.ts');
  const onError = (error: unknown) => log.warn({ err: error }, 'a metric could not be taken');
  return new ServerMetrics({ store, now: systemNow, depths, onError });
}
