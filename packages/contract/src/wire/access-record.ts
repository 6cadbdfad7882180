/** A request to a service, after its end. Our addition. */
import type * as z from 'zod';
import { Float, Integer, model, nullable, Text } from './scalars.ts';

export const AccessRecord = model({
  /** The time of the end, in milliseconds since 1970 UTC. */
  time: Integer,
  method: Text,
  /** Without the query, which often contains credentials. */
  path: Text,
  status: Integer,
  /** Until the end of the answer. */
  ms: Float,
  /** Null: the service needs no token. */
  user: nullable(Text),
  /** The address of the client. */
  address: Text,
  request_id: Text,
  /** The job of the replica that answered; null = none did, or a program of an earlier version has counted it. */
  job_id: nullable(Text),
});
export type AccessRecord = z.infer<typeof AccessRecord>;
