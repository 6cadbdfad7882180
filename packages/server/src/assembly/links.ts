import { randomUUID } from 'node:crypto';
import type { JobState } from '@dstack/contract/agent';
import type { OtherFigures } from '@dstack/proxy';
import {
  accessLog,
  OwnTokens,
  openReplica,
  ServiceProxy,
  serviceUsage,
  trustIn,
} from '@dstack/proxy';
import type { MayDial } from '@dstack/ssh';
import type { AccessWatch } from '../access/access-watch.ts';
import type { SignInGuard } from '../callers/sign-in-guard.ts';
import { systemNow } from '../clock/system-clock.ts';
import { AgentLeases, type AgentLeasesOptions } from '../hosts/agent-leases.ts';
import { HealthIntake } from '../hosts/health-intake.ts';
import { HostNotices } from '../hosts/host-notices.ts';
import { HostShells } from '../hosts/host-shells.ts';
import { Hosts } from '../hosts/hosts.ts';
import { JobKeyUpdates } from '../hosts/job-keys.ts';
import { isLocalHost } from '../hosts/local-agent.ts';
import { Programs } from '../hosts/ssh/programs.ts';
import { agentConnectors } from '../hosts/supervisor/connectors.ts';
import { dialByBackend } from '../hosts/supervisor/dial-by-backend.ts';
import { LinkSupervisor } from '../hosts/supervisor/supervisor.ts';
import { admission } from '../http/proxy/admission.ts';
import { ImagePlans } from '../images/image-plans.ts';
import { JobTunnels } from '../job-tunnels/job-tunnels.ts';
import type { LogStore } from '../logs/log-store.ts';
import { openLogs } from '../logs/open-logs.ts';
import { LogQuota } from '../loops/log-quota.ts';
import type { RunChanges } from '../loops/run-changes.ts';
import type { ProjectBackends } from '../offers/project-backends.ts';
import { outageReader } from '../outages/outage-reader.ts';
import { OutgoingRules } from '../outgoing/outgoing-rules.ts';
import { Prober } from '../probes/prober.ts';
import { assets } from '../process/assets.ts';
import type { OpenFiles } from '../process/open-files.ts';
import { serverFolder } from '../process/server-folders.ts';
import type { AvoidedReplicas } from '../service-table/avoided-replicas.ts';
import { serviceTable } from '../service-table/service-table.ts';
import { tokensOfSettings } from '../settings/own-tokens.ts';
import type { Parts } from './parts.ts';

/** The hosts, and everything that uses the links to their agents. */
export interface Links {
  readonly hosts: Hosts;
  readonly logs: LogStore;
  readonly quota: LogQuota;
  readonly jobKeys: JobKeyUpdates;
  readonly tunnels: JobTunnels;
  readonly prober: Prober;
  /** Called with the id of each host that has connected. */
  readonly connected: Set<(hostId: string) => void>;
  /** Called with each report about a job. */
  readonly reported: Set<(hostId: string, state: JobState) => void>;
}

export function makeLinks(
  parts: Parts,
  serverId: string,
  files: Pick<OpenFiles, 'isShort' | 'onRecovered'>,
  backend: AgentLeasesOptions['backend'],
): Links {
  const { settings, store, log, closing } = parts;
  const quota = new LogQuota(store, log);
  const logs = openLogs({
    dir: settings.dir,
    store,
    log,
    now: systemNow,
    quotaPerHour: settings.limits.logQuotaPerHour,
    onQuota: (ref, breach) => quota.breached(ref.jobId, breach),
  });
  closing.add(() => logs.close());
  const client = (hostId: string) => hosts.client(hostId);
  const prober = new Prober({ store, log, client, now: systemNow, newId: randomUUID });
  closing.add(() => prober.close());
  const health = new HealthIntake({
    ...{ store, log, client, now: systemNow, newId: randomUUID },
    intervalSeconds: settings.limits.healthIntervalSeconds,
  });
  closing.add(() => health.close());
  const connected = new Set<(hostId: string) => void>();
  const reported = new Set([prober.onJobState]);
  const hosts: Hosts = new Hosts({
    store,
    logs,
    serverId,
    owner: randomUUID(),
    log,
    now: systemNow,
    isShort: () => files.isShort,
    onState: (hostId, state) => {
      for (const notify of reported) notify(hostId, state);
    },
    onHealth: (hostId, report) => health.take(hostId, report),
    onNotice: (hostId, notice) => notices.take(hostId, notice),
    onTunnel: (hostId, jobId, tunnel) => tunnels.fetch(hostId, jobId, tunnel),
    onConnected: (hostId) => {
      imagePlans.onHostConnected(hostId);
      jobKeys.push(hostId);
      hostShells.connected(hostId);
      agentLeases.connected(hostId);
      notices.connected(hostId);
      for (const notify of connected) notify(hostId);
    },
  });
  files.onRecovered(() => hosts.retryAll());
  closing.add(() => hosts.close());
  const forbidden = settings.limits.forbidDstackInRuns;
  const tunnels = new JobTunnels({ store, client, forbidden, now: () => performance.now(), log });
  closing.add(() => tunnels.close());
  const jobKeys = new JobKeyUpdates({ store, log, hosts: () => hosts.ids, client });
  closing.add(() => jobKeys.close());
  const hostShells = new HostShells({
    store,
    log,
    setting: settings.hostShell,
    hosts: () => hosts.ids,
    client,
  });
  closing.add(() => hostShells.close());
  const agentLeases = new AgentLeases({
    ...{ store, backend, client, log },
    seconds: settings.agentLeaseSeconds,
  });
  closing.add(() => agentLeases.close());
  const notices = new HostNotices({ store, backend, client, now: systemNow, log });
  closing.add(() => notices.close());
  const imagePlans = new ImagePlans({
    store,
    log,
    settings: settings.images.onHosts,
    defaultRegistry: settings.images.defaultRegistry,
    hosts: () => hosts.ids,
    client,
    now: systemNow,
  });
  closing.add(() => imagePlans.close());
  return { hosts, logs, quota, jobKeys, tunnels, prober, connected, reported };
}

export interface Supervision {
  readonly supervisor: LinkSupervisor;
  readonly programs: Programs;
  /** Whether users may have the server connect to an address, of a host that they have named. */
  readonly mayDial: MayDial;
  /** Prepares the slowest parts of the first deployment while the user reads the plan. */
  readonly expectHosts: () => void;
}

export function makeSupervisor(
  { settings, store, log }: Parts,
  hosts: Hosts,
  serverId: string,
  find: ProjectBackends['find'],
): Supervision {
  const cacheDir = serverFolder(settings.dir, 'cache');
  const programs = new Programs({ agentDir: assets.agentBundle, cacheDir });
  const rules = new OutgoingRules(settings.outgoingAllow);
  const mayDial: MayDial = (host, address) => rules.allowsHost(host, address);
  const connectors = agentConnectors({
    ...{ serverId, programs, hostAccess: store.hostAccess },
    mayDial,
    dial: dialByBackend(store, find),
  });
  const supervisor = new LinkSupervisor({ store, hosts, connectors, log });
  return { supervisor, programs, mayDial, expectHosts: () => programs.warm() };
}

export interface ProxyParts {
  readonly hosts: Hosts;
  readonly prober: Prober;
  readonly supervisor: LinkSupervisor;
  readonly access: AccessWatch;
  readonly signIns: SignInGuard;
  /** Figures of other processes of this server. */
  readonly elsewhere: OtherFigures;
  readonly avoided: Pick<AvoidedReplicas, 'add'>;
}

/** Services without a gateway, over connections to the agents of their hosts. */
export function makeServiceProxy(
  { settings, store, log, closing }: Parts,
  { hosts, prober, supervisor, access, signIns, elsewhere, avoided }: ProxyParts,
  changes: RunChanges,
): ServiceProxy {
  const client = (hostId: string) => hosts.client(hostId) ?? supervisor.clientOf(hostId);
  const proxy = new ServiceProxy({
    services: serviceTable(store.services),
    readOutage: outageReader({ store, now: systemNow }),
    open: openReplica({ client, isHere: isLocalHost }),
    admit: admission({ store, now: systemNow, sshProxyToken: null, access, signIns }),
    ownTokens: new OwnTokens({
      isToken: store.access.isToken,
      settings: tokensOfSettings(settings),
      now: () => performance.now(),
      log,
    }),
    trust: trustIn(settings.trustedProxies),
    timeoutMs: settings.serviceTimeoutSeconds * 1000,
    maxBody: settings.serviceMaxBody,
    maxHeld: settings.serviceMaxHeld,
    figuresElsewhere: elsewhere,
    onEjected: (one) => avoided.add(one),
    onEnded: accessLog(settings.accessLogPart, log),
    onModelUse: serviceUsage({ modelUsage: store.modelUsage, now: systemNow, log }),
    shared: store.shared,
    now: systemNow,
    log,
  });
  changes.listen((runId) => proxy.changed(runId));
  changes.listen((runId) => prober.changed(runId));
  // Another server may process the run, and a failed probe must not wait for the next reading.
  if (store.shared) {
    closing.add(store.engine.onSignal(({ kind, id }) => kind === 'run' && proxy.changed(id)));
  }
  return proxy;
}
