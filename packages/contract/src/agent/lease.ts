import { type Infer, line, nullable, object, whole } from './schema-kit.ts';

/**
 * How long a machine lives without its server. It is sent with each connection, replaces the one before,
 * and is renewed by the pings of the server over the stream.
 */
export const AgentLease = object({
  /** Null = no lease: the machine lives until its server ends it. */
  seconds: nullable(whole()),
  /** How the machine ends; an agent ignores a lease with an ending that it does not support. */
  ending: line(100),
});
export type AgentLease = Infer<typeof AgentLease>;

/** `exit`: the machine ends with its agent's process. */
export const LEASE_ENDINGS = ['exit'] as const;
export type LeaseEnding = (typeof LEASE_ENDINGS)[number];
