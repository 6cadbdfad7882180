/** The requests of services behind gateways, as their programs report them. */
import type { GatewayCounts as Counted, GatewayReplicaState } from '@dstack/contract/agent';
import type { Id } from '@dstack/core';
import {
  type CountedModel,
  type CountedReplica,
  countedModelOf,
  ofPresent,
  type ProxiedService,
  type RawStats,
  RequestStats,
  sumOfStats,
  sumOfTotals,
  type TotalsByReplica,
  totalsOfModel,
} from '@dstack/proxy';
import type { Services, ServiceView } from '@dstack/store';

export interface GatewayFiguresOptions {
  readonly services: Pick<Services, 'onGateway' | 'behindGateway'>;
  /** Milliseconds. */
  readonly now: () => number;
}

interface Source {
  readonly gatewayId: Id;
  readonly isOpen: () => boolean;
  readonly services: Map<Id, Counted>;
  /** Its reports from before this connection; each is kept until the replica reports the service again. */
  readonly before: Map<Id, Counted>;
  /** Totals of earlier programs of the replica, which are added so that totals never decrease. */
  readonly ended: Map<Id, Totals>;
}

/** The requests of a service that one replica of its gateway has answered. */
export interface GatewayPart {
  readonly replicaId: Id;
  /** Its program is connected to this server. */
  readonly isLive: boolean;
  readonly requests: RawStats;
  readonly inFlight: number;
  readonly held: number;
  readonly replicas: CountedReplica[];
  /** False: its program is of an earlier version, which reports no replicas. */
  readonly knowsReplicas: boolean;
  /** Null: no model of it has answered. */
  readonly model: CountedModel | null;
}

interface Totals {
  readonly requests: RawStats;
  readonly mirrored: RawStats;
  readonly replicas: TotalsByReplica;
  readonly model: CountedModel | null;
}

const NOTHING: RawStats = { answered: {}, slices: [] };

/** The most services whose counts are kept for one replica; the least recently reported are dropped. */
const MAX_SERVICES = 10_000;

export class GatewayFigures {
  readonly #options: GatewayFiguresOptions;
  readonly #sources = new Map<Id, Source>();
  /** Adds up what others have counted. */
  readonly #stats: RequestStats;

  constructor(options: GatewayFiguresOptions) {
    this.#options = options;
    this.#stats = new RequestStats(options.now);
  }

  /** The program of a replica is connected, and will report everything. */
  opened(replicaId: Id, gatewayId: Id, isOpen: () => boolean): void {
    const known = this.#sources.get(replicaId);
    const before = new Map([...(known?.before ?? []), ...(known?.services ?? [])]);
    const ended = known?.ended ?? new Map<Id, Totals>();
    this.#sources.set(replicaId, { gatewayId, isOpen, services: new Map(), before, ended });
  }

  forget(replicaId: Id): void {
    this.#sources.delete(replicaId);
  }

  put(replicaId: Id, services: readonly Counted[]): void {
    const source = this.#sources.get(replicaId);
    if (source === undefined) return;
    for (const one of services) {
      const before = source.before.get(one.run_id);
      // A program that has counted less is another one.
      if (before !== undefined && countOf(one) < countOf(before)) {
        const totals = added(source.ended.get(one.run_id), before);
        source.ended.set(one.run_id, { ...totals, model: totalsOfModel(totals.model) });
      }
      source.before.delete(one.run_id);
      source.services.delete(one.run_id);
      source.services.set(one.run_id, one);
    }
    for (const known of [source.services, source.before, source.ended]) {
      for (const oldest of known.keys()) {
        if (known.size <= MAX_SERVICES) break;
        known.delete(oldest);
      }
    }
  }

  /** Null: there is no such service behind a gateway to which this server is connected. */
  async of(runId: Id): Promise<ProxiedService | null> {
    const view = await this.#options.services.onGateway(runId);
    const isKnown = view !== null && this.#open(view.run.gatewayId).length > 0;
    return isKnown ? this.#state(view) : null;
  }

  /** The counts of a service by each replica of the gateway, from the reports that this server has. */
  parts(runId: Id, gatewayId: Id): GatewayPart[] {
    const known = [...this.#sources].filter(([, source]) => source.gatewayId === gatewayId);
    return known.map(([replicaId, source]) => {
      const isLive = source.isOpen();
      const latest = isLive ? source.services.get(runId) : undefined;
      const totals = totalsOf(source, runId);
      const model = countedModelOf(totals.map((one) => one.model));
      return {
        requests: totals.map(({ requests }) => requests).reduce(sumOfStats, NOTHING),
        ...{ replicaId, isLive, model: isLive ? model : totalsOfModel(model) },
        ...{ inFlight: latest?.in_flight ?? 0, held: latest?.held ?? 0 },
        replicas: (latest?.replica_states ?? []).map(countedReplica),
        knowsReplicas: latest === undefined || Boolean(latest.replica_states),
      };
    });
  }

  /** The states of all services that have had requests. */
  async states(): Promise<ProxiedService[]> {
    const gateways = new Set([...this.#sources.values()].map(({ gatewayId }) => gatewayId));
    const states = [...gateways].map(async (gatewayId) => {
      const sources = this.#open(gatewayId);
      if (sources.length === 0) return [];
      const views = await this.#options.services.behindGateway(gatewayId);
      const counted = views.filter(({ run }) => sources.some((one) => one.services.has(run.id)));
      return counted.map((view) => this.#state(view));
    });
    return (await Promise.all(states)).flat();
  }

  #open(wanted: Id | null): Source[] {
    return this.#of(wanted).filter(({ isOpen }) => isOpen());
  }

  #of(wanted: Id | null): Source[] {
    return [...this.#sources.values()].filter(({ gatewayId }) => gatewayId === wanted);
  }

  #state({ run, projectName, replicas }: ServiceView): ProxiedService {
    const parts = this.#open(run.gatewayId).flatMap(({ services }) => services.get(run.id) ?? []);
    const sum = (of: (one: Counted) => number) => parts.reduce((all, one) => all + of(one), 0);
    const totals = this.#of(run.gatewayId).flatMap((source) => totalsOf(source, run.id));
    const total = (counts: readonly RawStats[]) => this.#stats.of(run.id, counts);
    const failing = replicas.filter(({ isFailing }) => isFailing).length;
    return {
      ...{ projectName, runName: run.name, ...total(totals.map(({ requests }) => requests)) },
      inFlight: sum((one) => one.in_flight),
      held: sum((one) => one.held),
      replicas: replicas.length,
      ejected: Math.min(replicas.length, Math.max(failing, ...parts.map((one) => one.ejected))),
      mirrored: total(totals.map(({ mirrored }) => mirrored)),
      byReplica: ofPresent(replicas, totals.map((one) => one.replicas).reduce(sumOfTotals, {})),
      model: countedModelOf(totals.map(({ model }) => model)),
    };
  }
}

/** Also of a replica whose program is not connected now. */
function totalsOf({ services, before, ended }: Source, runId: Id): Totals[] {
  const latest = services.get(runId) ?? before.get(runId);
  return [ended.get(runId) ?? [], latest ? added(undefined, latest) : []].flat();
}

function added(
  totals: Totals | undefined,
  { requests, mirrored, replicas, model }: Counted,
): Totals {
  return {
    model: countedModelOf([totals?.model ?? null, model ? countedModel(model) : null]),
    requests: sumOfStats(totals?.requests ?? NOTHING, rawOf(requests)),
    mirrored: sumOfStats(totals?.mirrored ?? NOTHING, rawOf(mirrored)),
    replicas: sumOfTotals(totals?.replicas ?? {}, replicas ?? {}),
  };
}

function countedModel({ first, recent, ...totals }: NonNullable<Counted['model']>): CountedModel {
  const tokens = (of: { readonly prompt_tokens: number; readonly completion_tokens: number }) => ({
    ...{ promptTokens: of.prompt_tokens, completionTokens: of.completion_tokens },
  });
  return {
    ...{ answers: totals.answers, ...tokens(totals), first },
    recent: { answers: recent.answers, ...tokens(recent), buckets: pairsOf(recent.buckets) },
  };
}

function countedReplica({
  job_id,
  in_flight,
  avoided,
  recent,
}: GatewayReplicaState): CountedReplica {
  const named = {
    ...{ jobId: job_id, inFlight: in_flight },
    recent: recent && { ...recent, buckets: pairsOf(recent.buckets) },
  };
  if (avoided === null) return { ...named, avoided: null };
  const { until, errors, rate, others } = avoided;
  if (errors !== null) {
    return { ...named, avoided: { until, why: { cause: 'errors_in_row', errors } } };
  }
  const why = rate === null ? null : ({ cause: 'error_rate', rate, others: others ?? 0 } as const);
  return { ...named, avoided: { until, why } };
}

function countOf({ requests }: Counted): number {
  return Object.values(requests.answered).reduce((sum, count) => sum + count, 0);
}

const rawOf = ({ answered, latencies, slices }: Counted['requests']): RawStats => ({
  answered,
  ...(latencies && { latencies }),
  slices: slices.map(({ number, count, errors, buckets }) => ({
    ...{ number, count, errors: errors ?? undefined },
    buckets: pairsOf(buckets),
  })),
});

const pairsOf = (buckets: readonly (readonly number[])[]) =>
  buckets.map(([bucket = 0, many = 0]) => [bucket, many] as const);
