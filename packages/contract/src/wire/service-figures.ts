/**
 * The requests of a service, as the server that answers has seen them, or its gateway has reported them.
 * Our addition.
 */
import * as z from 'zod';
import { Float, Integer, model, nullable, Text } from './scalars.ts';

const MirroredFigures = model({
  /** Answered copies per second, over the last minute. */
  rps: Float,
  p50_ms: nullable(Float),
  p95_ms: nullable(Float),
  p99_ms: nullable(Float),
  /** Copies since then: `2xx`, `4xx`, …, `failed`, `dropped`. */
  copies: z.record(Text, Integer),
});

export const ServiceFigures = model({
  /** Per second, over the last minute. */
  rps: Float,
  /** Milliseconds until the end of the answer, over the last minute. */
  p50_ms: nullable(Float),
  p95_ms: nullable(Float),
  p99_ms: nullable(Float),
  in_flight: Integer,
  /** Requests that wait for the first replica. */
  held: Integer,
  replicas: Integer,
  /** Replicas that fail a probe or refuse connections. */
  ejected: Integer,
  /** Ended requests since the server or the gateway started: `2xx`, `4xx`, … */
  answered: z.record(Text, Integer),
  /** Copies of its requests for another service; null = there were none. */
  mirrored: nullable(MirroredFigures),
});
export type ServiceFigures = z.infer<typeof ServiceFigures>;
