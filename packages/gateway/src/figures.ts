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
  ProcessFigures,
  type RawStats,
  sumOfReplicas,
  sumOfTotals,
} from '@dstack/proxy';

type Frame = Extract<GatewayFrame, { type: 'figures' }>;

const NOTHING: RawStats = { answered: {}, slices: [] };

export class Figures {
  readonly #send: (frame: Frame) => boolean;
  readonly #all = new ProcessFigures<object>();
  readonly #changed = new Set<string>();

  /** `send`: false = there is no server now. */
  constructor(send: (frame: Frame) => boolean) {
    this.#send = send;
  }

  /** A worker has counted. */
  put(worker: object, services: readonly CountedService[]): void {
    this.#all.put(worker, services);
    for (const { runId } of services) this.#changed.add(runId);
  }

  ended(worker: object): void {
    for (const runId of this.#all.ended(worker)) this.#changed.add(runId);
  }

  /** Forgets all others. */
  keepOnly(runIds: ReadonlySet<string>): void {
    for (const { runId } of this.#all.parts) if (!runIds.has(runId)) this.#all.forget(runId);
    for (const runId of this.#changed) if (!runIds.has(runId)) this.#changed.delete(runId);
  }

  /** A server that has just connected knows nothing. */
  connected(): void {
    for (const { runId } of this.#all.parts) this.#changed.add(runId);
    this.deliver();
  }

  deliver(): void {
    while (this.#changed.size > 0) {
      const next = [...this.#changed].slice(0, FIGURES);
      const services = next.flatMap((runId) => inWireForm(this.#all.of(runId)));
      if (!this.#send({ type: 'figures', services })) return;
      for (const runId of next) this.#changed.delete(runId);
    }
  }
}

function inWireForm(service: CountedService | null): GatewayCounts[] {
  if (service === null) return [];
  const { runId, inFlight, held, ejected, raw, rawMirrored = NOTHING, byReplica = {} } = service;
  const { replicas = [], model = null } = service;
  return [
    {
      ...{ run_id: runId, in_flight: inFlight, held, ejected },
      replica_states: sumOfReplicas([replicas]).map(replicaInWireForm),
      ...(model && { model: modelInWireForm(model) }),
      requests: countsOf(raw),
      mirrored: countsOf(rawMirrored),
      replicas: Object.fromEntries(
        Object.entries(sumOfTotals({}, byReplica)).map(([jobId, { answered, latencies }]) => [
          jobId,
          { answered, latencies: { ...latencies, counts: [...latencies.counts] } },
        ]),
      ),
    },
  ];
}

const countsOf = ({ answered, latencies, slices }: RawStats): GatewayCounts['requests'] => ({
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
