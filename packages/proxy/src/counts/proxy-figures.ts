import { sumOfTotals, type TotalsByReplica } from '../policy/replica-totals.ts';
import type { RawStats, RequestStats, ServiceStats } from '../policy/service-stats.ts';
import type { ServiceName } from '../refusals/refusal.ts';
import type { ReplicaConnections } from '../replicas/replica-connections.ts';
import type { WaitingRequests } from '../requests/waiting-requests.ts';
import type { ServiceRoute } from '../routes/service-route.ts';
import { type CountedReplica, reportedReplicas } from './counted-replica.ts';
import { type CountedModel, type ModelStats, NO_MODEL, sumOfModels } from './model-stats.ts';

/** The figures of a service at this server. */
export interface ProxiedService extends ServiceName, ServiceStats {
  /** Requests that a replica is answering. */
  readonly inFlight: number;
  /** Requests that wait for the first replica. */
  readonly held: number;
  readonly replicas: number;
  /** Replicas that fail a probe or refuse connections. */
  readonly ejected: number;
  /** Copies of its requests, which another service got; also those that were `dropped` or `failed`. */
  readonly mirrored: ServiceStats;
  /** The answers of each of its present replicas. */
  readonly byReplica: TotalsByReplica;
  /** Null: no model of it has answered. */
  readonly model: CountedModel | null;
}

interface CountedName extends ServiceName {
  readonly runId: string;
}

/** The figures of a service in one process. */
export interface CountedService extends CountedName {
  readonly inFlight: number;
  readonly held: number;
  readonly ejected: number;
  readonly raw: RawStats;
  /** Figures of the copies of its requests; workers of an earlier version have none. */
  readonly rawMirrored?: RawStats;
  /** Workers of an earlier version have none. */
  readonly byReplica?: TotalsByReplica;
  /** Replicas with requests in flight, or without requests because they are avoided; the same. */
  readonly replicas?: readonly CountedReplica[];
  /** Null: no model of it has answered; the same. */
  readonly model?: CountedModel | null;
}

/** The figures of the other processes that answer requests. */
export interface OtherFigures {
  readonly parts: readonly CountedService[];
  /** The same of one service. */
  partsOf(runId: string): readonly CountedService[];
  /** The service has ended. */
  forget(runId: string): void;
}

export const NO_OTHER_FIGURES: OtherFigures = { parts: [], partsOf: () => [], forget: () => {} };

export interface ProxyFiguresOptions {
  readonly stats: RequestStats;
  /** Counts copies of requests, by the service whose requests are copied. */
  readonly mirrored: RequestStats;
  readonly models: ModelStats;
  readonly replicas: ReplicaConnections;
  readonly waiting: Pick<WaitingRequests, 'count'>;
  /** The present route of a service. */
  readonly find: (name: ServiceName) => Promise<ServiceRoute | null>;
  readonly others: OtherFigures;
}

/** The figures of services, added up over the processes that serve them. */
export class ProxyFigures {
  readonly #options: ProxyFiguresOptions;

  constructor(options: ProxyFiguresOptions) {
    this.#options = options;
  }

  state(route: ServiceRoute): ProxiedService {
    const { stats, mirrored, models, replicas: connections, waiting, others } = this.#options;
    const { projectName, runName, runId, replicas } = route;
    const elsewhere = others.partsOf(runId);
    const raws = elsewhere.map(({ raw }) => raw);
    const ejected = replicas.filter((replica) => connections.isEjected(replica)).length;
    return {
      ...{ projectName, runName, ...stats.of(runId, raws) },
      inFlight: connections.pending(runId) + sum(elsewhere.map((one) => one.inFlight)),
      held: waiting.count(runId) + sum(elsewhere.map((one) => one.held)),
      replicas: replicas.length,
      mirrored: mirrored.of(
        runId,
        elsewhere.flatMap(({ rawMirrored }) => rawMirrored ?? []),
      ),
      byReplica: ofPresent(
        replicas,
        elsewhere
          .map((one) => one.byReplica ?? {})
          .reduce(sumOfTotals, connections.totalsOf(runId)),
      ),
      model: countedModelOf([models.of(runId), ...elsewhere.map((one) => one.model ?? null)]),
      // Each process ejects by the connections that it has tried.
      ejected: Math.max(ejected, ...elsewhere.map((one) => one.ejected)),
    };
  }

  async states(): Promise<ProxiedService[]> {
    const { stats, mirrored, models, find, others } = this.#options;
    const known = new Map([...stats.services, ...others.parts].map((one) => [one.runId, one]));
    const states = [...known.values()].map(async ({ runId, projectName, runName }) => {
      const route = await find({ projectName, runName });
      // A later run may have its name: one service must not appear twice.
      if (route?.runId === runId) return [this.state(route)];
      stats.forget(runId);
      mirrored.forget(runId);
      models.forget(runId);
      others.forget(runId);
      return [];
    });
    return (await Promise.all(states)).flat();
  }

  /** The figures of this process alone. */
  get own(): CountedService[] {
    return this.#options.stats.services.map((named) => this.#own(named));
  }

  /** The same of some services. */
  ownOf(runIds: ReadonlySet<string>): CountedService[] {
    return this.#options.stats.named(runIds).map((named) => this.#own(named));
  }

  /** A service in each process of this server. */
  counted(named: CountedName): CountedService[] {
    return [this.#own(named), ...this.#options.others.partsOf(named.runId)];
  }

  #own({ runId, projectName, runName }: CountedName): CountedService {
    const { stats, mirrored, models, replicas, waiting } = this.#options;
    return {
      ...{ runId, projectName, runName, raw: stats.raw(runId) },
      ...{ inFlight: replicas.pending(runId), held: waiting.count(runId) },
      ejected: replicas.ejectedOf(runId),
      rawMirrored: mirrored.raw(runId),
      byReplica: replicas.totalsOf(runId),
      replicas: reportedReplicas(replicas.countedOf(runId)),
      model: models.of(runId),
    };
  }
}

/** Those of replicas that have left are of no use any more. */
export function ofPresent(
  replicas: readonly { readonly jobId: string }[],
  totals: TotalsByReplica,
): TotalsByReplica {
  const present = new Set(replicas.map(({ jobId }) => jobId));
  return Object.fromEntries(Object.entries(totals).filter(([jobId]) => present.has(jobId)));
}

/** Null: none of them has any. */
export function countedModelOf(parts: readonly (CountedModel | null)[]): CountedModel | null {
  const known = parts.filter((part) => part !== null);
  return known.length === 0 ? null : known.reduce(sumOfModels, NO_MODEL);
}

const sum = (counts: readonly number[]) => counts.reduce((a, b) => a + b, 0);
