import { line, nullable, object, type Read, whole } from './read.ts';

/**
 * How long a machine lives without its server. It is sent with each connection, replaces the one before,
 * and is renewed by the pings of the server over the stream.
 */
export interface AgentLease {
  /** Null = no lease: the machine lives until its server ends it. */
  readonly seconds: number | null;
  /** How the machine ends; an agent ignores a lease with an ending that it does not know. */
  readonly ending: string;
}

/** `exit`: the machine ends with its agent's process. */
export const LEASE_ENDINGS = ['exit'] as const;
export type LeaseEnding = (typeof LEASE_ENDINGS)[number];

const readLease: Read<AgentLease> = object<AgentLease>({
  seconds: nullable(whole()),
  ending: line(100),
});

/** Throws `Malformed`. */
export const parseAgentLease = (value: unknown): AgentLease => readLease(value, '');
