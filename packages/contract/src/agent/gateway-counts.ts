/** Counts that a gateway reports. */
import {
  anyCount as count,
  instant,
  MOST_REPLICAS_SENT,
  momentary,
  part,
} from './gateway-schemas.ts';
import {
  amount,
  type Infer,
  line,
  list,
  mapOf,
  messageText,
  nullable,
  object,
  optional,
  textLike,
  uuid,
  whole,
} from './schema-kit.ts';

/** The tokens that requests of one user to one model have used on one day. */
export const GatewayModelUse = object({
  project: line(256),
  user: line(256),
  /** The service token that was used; null = another credential. Earlier programs send none. */
  token: optional(uuid),
  model: line(1024),
  /** Days since the epoch, in UTC. */
  day: whole(),
  requests: count,
  /** Requests whose answer the client did not receive completely. */
  aborted: count,
  /** Requests for which the model did not report tokens. */
  estimated: count,
  prompt_tokens: count,
  completion_tokens: count,
});
export type GatewayModelUse = Infer<typeof GatewayModelUse>;

/** Services in one message of figures. */
export const FIGURES = 500;

/** See `LatencyTotals` of the proxy. */
const Latencies = object({ seconds: amount, counts: list(count, 50) });
/** Pairs of a bucket and its count. */
const Buckets = list(list(count, 2), 100);

/** Ended requests since the program started, and their latencies in the last minute. */
const CountedRequests = object({
  answered: mapOf(
    textLike(/^([1-9]xx|failed|dropped)$/, 'is not an outcome of requests'),
    count,
    20,
  ),
  /** The latencies of all requests. Earlier programs send none. */
  latencies: optional(Latencies),
  /** `errors`: answers by 5xx; earlier programs send none. */
  slices: list(object({ number: whole(), count, errors: optional(count), buckets: Buckets }), 20),
});

/** The answers of one replica: see `ReplicaTotals` of the proxy. */
const ReplicaCounts = object({
  answered: mapOf(textLike(/^([1-9]xx|failed)$/, 'is not an outcome of requests'), count, 20),
  latencies: Latencies,
});

/** Answers of models and their tokens: in total, and in the last minute before the message. */
const CountedModel = object({
  answers: count,
  prompt_tokens: count,
  completion_tokens: count,
  /** Times to the first part of streamed answers. */
  first: Latencies,
  recent: object({
    answers: count,
    prompt_tokens: count,
    completion_tokens: count,
    buckets: Buckets,
  }),
});

/** A replica that has had requests in the last minute, or gets none. */
export const GatewayReplicaState = object({
  job_id: uuid,
  in_flight: momentary,
  /** Why it gets no requests; null = it gets some. */
  avoided: nullable(
    object({
      /** Milliseconds since the epoch. */
      until: instant,
      /** In a row; null = another cause. */
      errors: nullable(momentary),
      /** Parts of all recent answers, its own and those of other replicas; null = it refuses connections. */
      rate: nullable(part),
      others: nullable(part),
    }),
  ),
  /** The last minute before the message; null = the program does not count by replica. */
  recent: nullable(object({ requests: count, errors: count, buckets: Buckets })),
});
export type GatewayReplicaState = Infer<typeof GatewayReplicaState>;

/** The requests of a service. */
export const GatewayCounts = object({
  run_id: uuid,
  in_flight: momentary,
  held: momentary,
  ejected: whole(MOST_REPLICAS_SENT),
  /** Replicas with requests, or that get none. Earlier programs send none. */
  replica_states: optional(list(GatewayReplicaState, MOST_REPLICAS_SENT)),
  /** Null: no model of it has answered. The same. */
  model: optional(CountedModel),
  requests: CountedRequests,
  /** Copies of its requests for another service. */
  mirrored: CountedRequests,
  /** By the id of the job. Earlier programs send none. */
  replicas: optional(mapOf(uuid, ReplicaCounts, 1000)),
});
export type GatewayCounts = Infer<typeof GatewayCounts>;

/** The latest requests of a service that a process of the gateway has answered, from number `next - length` on. */
export const AccessPages = list(
  object({
    process: line(64),
    next: whole(),
    skipped: whole(),
    records: list(
      object({
        time: instant,
        method: messageText(32),
        path: messageText(1000),
        status: whole(599),
        ms: amount,
        user: nullable(messageText(256)),
        address: messageText(256),
        request_id: messageText(256),
        /** The replica that answered. Earlier programs send none. */
        job_id: optional(uuid),
      }),
      200,
    ),
  }),
  100,
);
export type AccessPages = Infer<typeof AccessPages>;
