import type { Id } from '@dstack/core';

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

/** Output of jobs. Only for servers that share a database: others keep files. */
export interface LogPieces {
  newest(jobId: Id): Promise<LogPieceRecord | null>;
  /** False, and nothing stored, when a piece of this number exists. */
  insert(piece: LogPieceRecord): Promise<boolean>;
  /** The first piece with bytes behind `offset`. */
  withOffset(jobId: Id, offset: number): Promise<LogPieceRecord | null>;
  /** The piece that holds event number `ordinal`, without its bytes and marks. */
  withEvent(jobId: Id, ordinal: number): Promise<LogPieceRecord | null>;
  delete(jobId: Id): Promise<void>;
}

/**
 * Notifies the other servers on the database that more of a log is stored; the name is opaque. This
 * server's own notifications are not delivered to itself. Lost ones do no harm: readers check again
 * by themselves.
 */
export interface LogSignals {
  announce(stream: string): void;
  subscribe(listener: (stream: string) => void): () => void;
}

export interface Logs {
  readonly tables: LogPieces;
  readonly signals: LogSignals;
}
