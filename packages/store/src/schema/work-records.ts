/** Records that jobs, and the hosts that they run on, produce, as the other packages see them. */
import type { HealthStatus, Id, Timestamp } from '@dstack/core';

export interface HealthCheckRecord {
  readonly id: Id;
  readonly instanceId: Id;
  readonly status: HealthStatus;
  /** JSON text: `events` as the wire has them, and all `checks`. */
  readonly response: string;
  readonly collectedAt: Timestamp;
}

export interface ProbeRecord {
  readonly id: Id;
  readonly jobId: Id;
  readonly probeNum: number;
  readonly successStreak: number;
  /** When the next attempt is due; null = never. */
  readonly due: Timestamp | null;
}

/**
 * One stored piece of a job's output with its metadata. Pieces of a job are numbered from 0 without
 * gaps. Blobs belong to the log store; this package does not read them.
 */
export interface LogPieceRecord {
  readonly jobId: Id;
  readonly seq: number;
  readonly project: string;
  readonly run: string;
  /** Offsets in the job's output of the first byte, and behind the last. */
  readonly startOffset: number;
  readonly endOffset: number;
  readonly bytes: Uint8Array;
  readonly marks: Uint8Array;
  /** Number of the first event, and how many there are. */
  readonly firstEvent: number;
  readonly eventCount: number;
  readonly events: Uint8Array;
  /** True when the output was complete with this piece. */
  readonly ended: boolean;
}
