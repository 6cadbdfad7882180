import type { Id } from '@dstack/core';
import {
  type CountedModel,
  type CountedReplica,
  type CountedService,
  countedModelOf,
  type RawStats,
  recentRequests,
  type ServiceProxy,
  sumOfReplicas,
  sumOfStats,
} from '@dstack/proxy';
import type { GatewayFigures } from '../gateways/gateway-figures.ts';
import type { TrafficPart } from './traffic-part.ts';

/** A service that traffic is asked of. */
export interface AskedService {
  readonly runId: Id;
  readonly projectName: string;
  readonly runName: string;
  /** Null: servers answer its requests. */
  readonly gatewayId: Id | null;
}

export interface OwnTrafficOptions {
  /** Random id of this server. */
  readonly server: string;
  readonly services: Pick<ServiceProxy, 'counted'>;
  readonly gateways: Pick<GatewayFigures, 'parts'>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** `isDetailed`: with all replicas; otherwise with those that are avoided, without what they have answered. */
export type ReadTraffic = (services: readonly AskedService[], isDetailed: boolean) => TrafficPart[];

interface Counts
  extends Pick<TrafficPart, 'runId' | 'source' | 'isLive' | 'inFlight' | 'held' | 'knowsReplicas'> {
  readonly requests: RawStats;
  readonly replicas: readonly CountedReplica[];
  readonly model: CountedModel | null;
}

/** Reads the counts of this server and of the gateways that it is connected to. */
export function ownTraffic({ server, services, gateways, now }: OwnTrafficOptions): ReadTraffic {
  const ofServer = (asked: AskedService): Counts => {
    const processes = services.counted(asked);
    const sum = (of: (one: CountedService) => number) =>
      processes.reduce((all, one) => all + of(one), 0);
    return {
      ...{ runId: asked.runId, source: server, isLive: true },
      requests: processes.map(({ raw }) => raw).reduce(sumOfStats, NOTHING),
      inFlight: sum(({ inFlight }) => inFlight),
      held: sum(({ held }) => held),
      replicas: sumOfReplicas(processes.map(({ replicas = [] }) => replicas)),
      knowsReplicas: processes.every((one) => one.replicas !== undefined),
      model: countedModelOf(processes.map(({ model = null }) => model)),
    };
  };
  const behind = ({ runId }: AskedService, gatewayId: Id): Counts[] =>
    gateways
      .parts(runId, gatewayId)
      .map(({ replicaId, ...counts }) => ({ runId, source: replicaId, ...counts }));
  return (asked, isDetailed) =>
    asked
      .flatMap((one) => (one.gatewayId === null ? [ofServer(one)] : behind(one, one.gatewayId)))
      .map((counts) => partOf(isDetailed ? counts : withoutAnswers(counts), now()));
}

const withoutAnswers = (counts: Counts): Counts => ({
  ...counts,
  replicas: counts.replicas
    .filter(({ avoided }) => avoided !== null)
    .map((one) => ({ ...one, recent: null })),
});

const NOTHING: RawStats = { answered: {}, slices: [] };

function partOf({ requests, replicas, model, ...counts }: Counts, now: number): TrafficPart {
  const recent = recentRequests([requests], now);
  return {
    ...{ ...counts, answered: { ...requests.answered } },
    recent: { ...recent, buckets: pairs(recent.buckets) },
    replicas: replicas.map((one) => ({
      ...one,
      recent: one.recent && { ...one.recent, buckets: pairs(one.recent.buckets) },
    })),
    model: model && { ...model.recent, buckets: pairs(model.recent.buckets) },
  };
}

const pairs = (buckets: readonly (readonly [number, number])[]): [number, number][] =>
  buckets.map(([bucket, count]) => [bucket, count]);
