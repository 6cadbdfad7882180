/** The requests of a service without a gateway, at the server that answers. Our addition. */
import * as z from 'zod';
import { Float, Integer, model, nullable, Text } from './scalars.ts';

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
  /** Ended requests since the server started: `2xx`, `4xx`, … */
  answered: z.record(Text, Integer),
});
export type ServiceFigures = z.infer<typeof ServiceFigures>;
