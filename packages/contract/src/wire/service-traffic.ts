/**
 * The requests of a service in the last minute, as all servers and gateways that answer them have counted. Our
 * addition.
 */
import * as z from 'zod';
import {
  choiceOf,
  DateTime,
  Flag,
  Float,
  Integer,
  listOf,
  model,
  nullable,
  Text,
} from './scalars.ts';

/** Replicas in one answer; those that get no requests come first when there are more. */
export const MOST_TRAFFIC_REPLICAS = 200;

/** Services in one request for several. */
export const MOST_TRAFFIC_SERVICES = 100;

const trafficShape = {
  run_id: Text,
  run_name: Text,
  /** Seconds that `requests`, `errors` and the percentiles are about: up to a minute. */
  window_seconds: Float,
  /** Ended requests. */
  requests: Integer,
  /** Those answered by 5xx; null = a program of an earlier version has counted some, and does not report errors. */
  errors: nullable(Integer),
  /** Requests per second. */
  rps: Float,
  /** Milliseconds until the end of the answer, from the counts of all sources together; null = no request ended. */
  p50_ms: nullable(Float),
  p95_ms: nullable(Float),
  p99_ms: nullable(Float),
  in_flight: Integer,
  /** Requests that wait for the first replica. */
  held: Integer,
  /** Some that may have counted requests have not answered, so that figures may be too low. */
  partial: Flag,
};

export const REPLICA_STATES = ['ready', 'avoided', 'failing', 'not_ready'] as const;

/** A replica, by the processes that send it requests. */
export const ReplicaTraffic = model({
  replica_num: Integer,
  job_id: Text,
  /** Its replica group. */
  group: Text,
  /**
   * `avoided`: it gets no requests until `until`, because of `reason`. `failing`: a probe fails, others are preferred.
   * `not_ready`: it gets no requests yet, or is being stopped.
   */
  state: choiceOf(REPLICA_STATES),
  reason: nullable(Text),
  until: nullable(DateTime),
  in_flight: Integer,
  /** Counted requests of the last minute that reached it; null = their sender does not count by replica. */
  requests: nullable(Integer),
  /** Answers by 5xx, and requests that it has taken and not answered. */
  errors: nullable(Integer),
  /** The part of the requests of all replicas that it got, from 0 to 1; null = there were none. */
  weight: nullable(Float),
  p50_ms: nullable(Float),
  p95_ms: nullable(Float),
  p99_ms: nullable(Float),
});
export type ReplicaTraffic = z.infer<typeof ReplicaTraffic>;

/** Answers of its model in the last minute, whose tokens were counted: to callers that are known. */
export const ModelTraffic = model({
  answers: Integer,
  prompt_tokens_per_second: Float,
  completion_tokens_per_second: Float,
  /** Milliseconds from the request to the first part of the answer; null = no answer was streamed. */
  first_token_p50_ms: nullable(Float),
  first_token_p95_ms: nullable(Float),
  first_token_p99_ms: nullable(Float),
});
export type ModelTraffic = z.infer<typeof ModelTraffic>;

export const ServiceTraffic = model({
  ...trafficShape,
  /** Ended requests since the processes that have counted them started, by the hundreds of their status. */
  answered: z.record(Text, Integer),
  replicas: listOf(ReplicaTraffic),
  /** Also those that `replicas` leaves out. */
  replicas_total: Integer,
  /** Null: it has no model, or none has answered since what counts was started. */
  model: nullable(ModelTraffic),
  /** Name of the gateway that answers its requests; null = servers do. */
  gateway: nullable(Text),
  /** Servers of the database, that one included which answers. */
  servers: Integer,
  /** Those of them that have not answered. */
  missing_servers: Integer,
  /** Numbers of the replicas of the gateway that no server has figures of. */
  missing_gateway_replicas: listOf(Integer),
});
export type ServiceTraffic = z.infer<typeof ServiceTraffic>;

/** `ready`: replicas in that state (see `ReplicaTraffic`). */
export const ServiceTrafficSum = model({ ...trafficShape, ready: Integer });
export type ServiceTrafficSum = z.infer<typeof ServiceTrafficSum>;

/** Services that do not exist, have ended, or of which nothing is known are left out. */
export const ServiceTrafficList = model({ services: listOf(ServiceTrafficSum) });
export type ServiceTrafficList = z.infer<typeof ServiceTrafficList>;
