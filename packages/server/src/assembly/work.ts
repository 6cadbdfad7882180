import { randomUUID } from 'node:crypto';
import type { RunContext } from '@dstack/core';
import type { ServiceProxy } from '@dstack/proxy';
import type { Blobs } from '@dstack/store';
import { systemClock, systemNow } from '../clock/system-clock.ts';
import { effects } from '../effects/carry-out.ts';
import { Drain, type DrainOptions } from '../effects/drain.ts';
import { effectIsOurs } from '../effects/effect-owner.ts';
import { JobStarter } from '../effects/start-job.ts';
import type { GatewayLinks } from '../gateways/gateway-links.ts';
import type { LinkSupervisor } from '../hosts/supervisor/supervisor.ts';
import { placeOfLogs } from '../logs/open-logs.ts';
import { Engine } from '../loops/engine.ts';
import type { RunChanges } from '../loops/run-changes.ts';
import type { ServerMetrics } from '../metrics/server-metrics.ts';
import { instanceOffers } from '../offers/instance-offers.ts';
import type { offerSource } from '../offers/offer-source.ts';
import type { ProjectBackends } from '../offers/project-backends.ts';
import { Outgoing } from '../outgoing/outgoing.ts';
import { OutgoingRules } from '../outgoing/outgoing-rules.ts';
import { serverFolder } from '../process/server-folders.ts';
import { RetentionRounds } from '../retention/rounds.ts';
import { retentionSteps } from '../retention/steps.ts';
import { StrayLogs } from '../retention/stray-logs.ts';
import { PrometheusQueries } from '../scaling/prometheus-queries.ts';
import { Sweeper } from '../sweep/sweeper.ts';
import type { Links } from './links.ts';
import type { Parts } from './parts.ts';
import type { ServerHost } from './server-host.ts';

export interface EngineParts {
  readonly links: Links;
  readonly supervisor: LinkSupervisor;
  readonly serverId: string;
  readonly backends: ProjectBackends;
  readonly offers: ReturnType<typeof offerSource>;
  readonly context: () => RunContext;
  readonly changes: RunChanges;
  readonly blobs: Blobs;
  readonly services: Pick<ServiceProxy, 'leave'>;
  readonly workers: DrainOptions['workers'];
  readonly gateways: GatewayLinks;
  readonly metrics: ServerMetrics | null;
  readonly serverHost: ServerHost | null;
}

/** Without a server host no job starts there. */
const NO_FREEDOMS = { trusted: false, mounts: false, users: false, loopback: false };

/** The loops that carry out the decisions. They are not started yet. */
export function makeEngine({ settings, store, log, closing }: Parts, parts: EngineParts): Engine {
  const { links, supervisor, serverId, backends, offers, context, changes, blobs } = parts;
  const { services, workers, gateways, metrics, serverHost } = parts;
  const outgoing = new Outgoing(new OutgoingRules(settings.outgoingAllow));
  closing.add(() => outgoing.close());
  const { hosts, quota, jobKeys } = links;
  const starter = new JobStarter({
    store,
    blobs,
    defaultRegistry: settings.images.defaultRegistry,
    pushKeys: (hostId) => jobKeys.push(hostId),
    loopback: settings.outgoingAllow.includes('loopback'),
    cloneLimits: settings.limits.clone,
    local: {
      projects: serverHost?.projects ?? new Set(),
      ...(serverHost?.freedoms ?? NO_FREEDOMS),
    },
  });
  const effect = effects({
    store,
    hosts,
    links: supervisor,
    serverId,
    defaultRegistry: settings.images.defaultRegistry,
    backends,
    starter,
    drain: new Drain({
      ...{ store, services: drained(services, gateways), workers, now: systemNow },
      steadySince: () => systemClock.steadySince,
    }),
    now: systemNow,
    newId: randomUUID,
    log,
    fleetOffers: instanceOffers(offers),
  });
  return new Engine({
    store,
    offers,
    effect,
    effectIsOurs: effectIsOurs({ store, hosts }),
    backends,
    links: supervisor,
    hosts,
    gateways,
    context,
    measureTime: () => systemClock.measure(),
    changes,
    quota,
    queries: new PrometheusQueries({ services: store.services, outgoing, now: systemNow, log }),
    log,
    owner: randomUUID(),
    observer: metrics,
  });
}

/** Both may be sending requests to a job. */
function drained(services: Pick<ServiceProxy, 'leave'>, gateways: GatewayLinks) {
  return {
    leave: (jobId: string, whenIdle: () => void): boolean => {
      const isIdleHere = services.leave(jobId, whenIdle);
      return gateways.leave(jobId, whenIdle) && isIdleHere;
    },
  };
}

export function startRetention(
  { settings, store, log, closing }: Parts,
  { links: { logs }, blobs }: Pick<EngineParts, 'links' | 'blobs'>,
): void {
  const { retention: policy } = settings;
  const root = placeOfLogs(store) === 'files' ? serverFolder(settings.dir, 'logs') : null;
  const strays = new StrayLogs({ retention: store.retention, logs, root });
  const rounds = new RetentionRounds({
    store,
    log,
    steps: retentionSteps({ store, logs, blobs, strays, policy, log }),
    events: policy.events,
    owner: randomUUID(),
    now: systemNow,
  });
  closing.add(() => rounds.close());
  rounds.start();
}

export function startSweeper(
  { settings, store, log, closing }: Parts,
  { backends, serverId }: Pick<EngineParts, 'backends' | 'serverId'>,
): void {
  const owner = randomUUID();
  const { sweep: policy } = settings;
  const sweeper = new Sweeper({
    ...{ store, backends, serverId, policy, owner, now: systemNow, log },
    steadySince: () => systemClock.steadySince,
  });
  closing.add(() => sweeper.close());
}
