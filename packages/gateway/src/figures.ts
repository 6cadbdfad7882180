/** The requests of services, added up over the workers, for the server. */
import {
  FIGURES,
  type GatewayCounts,
  type GatewayFrame,
  type GatewayReplicaState,
} from '@dstack/contract/agent';
import {
  type CountedModel,
  type CountedReplica,
  type CountedService,
  countedModelOf,
  type RawStats,
  sumOfReplicas,
  sumOfStats,
  sumOfTotals,
  type TotalsByReplica,
  totalsOfModel,
} from '@dstack/proxy';

type Frame = Extract<GatewayFrame, { type: 'figures' }>;

/** Counts of a service, which are kept when a worker ends. */
interface Counts {
  readonly requests: RawStats;
  readonly mirrored: RawStats;
  readonly replicas: TotalsByReplica;
  readonly model: CountedModel | null;
}

const NOTHING: RawStats = { answered: {}, slices: [] };
const NONE: Counts = { requests: NOTHING, mirrored: NOTHING, replicas: {}, model: null };

export class Figures<Worker> {
  readonly #send: (frame: Frame) => boolean;
  readonly #workers = new Map<Worker, Map<string, CountedService>>();
  /** Counts of workers that have ended, by run, because totals must never become smaller. */
  readonly #ended = new Map<string, Counts>();
  readonly #changed = new Set<string>();

  /** `send`: false = there is no server now. */
  constructor(send: (frame: Frame) => boolean) {
    this.#send = send;
  }

  /** A worker has counted. */
  put(worker: Worker, services: readonly CountedService[]): void {
    const known = this.#workers.get(worker) ?? new Map<string, CountedService>();
    this.#workers.set(worker, known);
    for (const one of services) {
      known.set(one.runId, one);
      this.#changed.add(one.runId);
    }
  }

  ended(worker: Worker): void {
    const services = this.#workers.get(worker);
    this.#workers.delete(worker);
    for (const [runId, one] of services ?? []) {
      const last = { ...one, model: totalsOfModel(one.model) };
      this.#ended.set(runId, added(this.#ended.get(runId) ?? NONE, last));
      this.#changed.add(runId);
    }
  }

  /** Forgets all others. */
  keepOnly(runIds: ReadonlySet<string>): void {
    for (const known of [this.#ended, this.#changed, ...this.#workers.values()]) {
      for (const runId of known.keys()) if (!runIds.has(runId)) known.delete(runId);
    }
  }

  /** A server that has just connected knows nothing. */
  connected(): void {
    for (const known of [this.#ended, ...this.#workers.values()]) {
      for (const runId of known.keys()) this.#changed.add(runId);
    }
    this.deliver();
  }

  deliver(): void {
    while (this.#changed.size > 0) {
      const next = [...this.#changed].slice(0, FIGURES);
      const services = next.map((runId) => this.#of(runId));
      if (!this.#send({ type: 'figures', services })) return;
      for (const runId of next) this.#changed.delete(runId);
    }
  }

  #of(runId: string): GatewayCounts {
    const parts = [...this.#workers.values()].flatMap((known) => known.get(runId) ?? []);
    const counts = parts.reduce(added, this.#ended.get(runId) ?? NONE);
    return {
      run_id: runId,
      in_flight: sum(parts.map((one) => one.inFlight)),
      held: sum(parts.map((one) => one.held)),
      // Each worker ejects by the connections that it has tried.
      ejected: Math.max(0, ...parts.map((one) => one.ejected)),
      replica_states: sumOfReplicas(parts.map(({ replicas = [] }) => replicas)).map(
        replicaInWireForm,
      ),
      ...(counts.model && { model: modelInWireForm(counts.model) }),
      requests: inWireForm(counts.requests),
      mirrored: inWireForm(counts.mirrored),
      replicas: Object.fromEntries(
        Object.entries(counts.replicas).map(([jobId, { answered, latencies }]) => [
          jobId,
          { answered, latencies: { ...latencies, counts: [...latencies.counts] } },
        ]),
      ),
    };
  }
}

const sum = (counts: readonly number[]) => counts.reduce((a, b) => a + b, 0);

const added = (
  counts: Counts,
  { raw, rawMirrored = NOTHING, byReplica = {}, model = null }: CountedService,
): Counts => ({
  requests: sumOfStats(counts.requests, raw),
  mirrored: sumOfStats(counts.mirrored, rawMirrored),
  replicas: sumOfTotals(counts.replicas, byReplica),
  model: countedModelOf([counts.model, model]),
});

const inWireForm = ({ answered, latencies, slices }: RawStats): GatewayCounts['requests'] => ({
  answered,
  ...(latencies && { latencies: { seconds: latencies.seconds, counts: [...latencies.counts] } }),
  slices: slices.map(({ number, count, errors, buckets }) => ({
    ...{ number, count, buckets: buckets.map((pair) => [...pair]) },
    ...(errors !== undefined && { errors }),
  })),
});

function modelInWireForm({ answers, first, recent, ...tokens }: CountedModel) {
  return {
    ...{ answers, ...tokensInWireForm(tokens) },
    first: { seconds: first.seconds, counts: [...first.counts] },
    recent: {
      ...{ answers: recent.answers, ...tokensInWireForm(recent) },
      buckets: recent.buckets.map((pair) => [...pair]),
    },
  };
}

const tokensInWireForm = (tokens: Pick<CountedModel, 'promptTokens' | 'completionTokens'>) => ({
  ...{ prompt_tokens: tokens.promptTokens, completion_tokens: tokens.completionTokens },
});

function replicaInWireForm({
  jobId,
  inFlight,
  avoided,
  recent,
}: CountedReplica): GatewayReplicaState {
  const { until, why } = avoided ?? { until: 0, why: null };
  const isRate = why?.cause === 'error_rate';
  return {
    ...{ job_id: jobId, in_flight: inFlight },
    avoided: avoided && {
      until: Math.round(until),
      errors: why?.cause === 'errors_in_row' ? why.errors : null,
      rate: isRate ? why.rate : null,
      others: isRate ? why.others : null,
    },
    recent: recent && { ...recent, buckets: recent.buckets.map((pair) => [...pair]) },
  };
}
