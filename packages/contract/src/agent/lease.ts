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

/**
 * `exit`: the machine ends with its agent's process. `poweroff`: the agent powers the machine off, and its
 * provider charges nothing for it from then on.
 */
export const LEASE_ENDINGS = ['exit', 'poweroff'] as const;
export type LeaseEnding = (typeof LEASE_ENDINGS)[number];

/** The state directory of an agent that a server has installed over SSH. Only root may read it. */
export const HOST_STATE_DIR = '/var/lib/dstack';

/** The file in its state directory in which an agent keeps its lease. A machine may be born with one. */
export const LEASE_FILE = 'lease.json';

/** Time since a machine was booted, which no change of its wall clock moves. */
export interface Uptime {
  /** `/proc/sys/kernel/random/boot_id`. */
  readonly bootId: string;
  readonly seconds: number;
}

/** The form of that file. */
export interface StoredLease {
  /** How long the lease lasts without the server. */
  readonly seconds: number;
  readonly ending: LeaseEnding;
  /** The last contact with the server. */
  readonly renewed: Uptime;
}
