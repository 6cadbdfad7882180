/** The answers of the replicas of a gateway. */
import type * as z from 'zod';
import { choiceOf, DateTime, Flag, Integer, listOf, model, nullable, Text } from './scalars.ts';

/** A line of the program of the gateway, or an error of its nginx. */
export const GatewayLogEntry = model({
  time: nullable(DateTime),
  source: choiceOf(['gateway', 'nginx']),
  level: Text,
  text: Text,
});
export type GatewayLogEntry = z.infer<typeof GatewayLogEntry>;

export const GatewayReplicaLog = model({
  replica_num: Integer,
  /** False: no server is connected to it, or its program is of an earlier version. */
  answered: Flag,
  /** For `after` of the next request. */
  next: nullable(Text),
  /** Lines before these are left out. */
  skipped: Flag,
  lines: listOf(GatewayLogEntry),
});
export type GatewayReplicaLog = z.infer<typeof GatewayReplicaLog>;

export const GatewayLogs = model({ replicas: listOf(GatewayReplicaLog) });
export type GatewayLogs = z.infer<typeof GatewayLogs>;

export const RenewedCertificates = model({
  /** Names of the certificates that are requested again. */
  domains: listOf(Text),
  /** Numbers of the replicas that have not answered. */
  unanswered: listOf(Integer),
});
export type RenewedCertificates = z.infer<typeof RenewedCertificates>;
