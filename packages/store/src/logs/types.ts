import type { Id } from '@dstack/core';
import type { LogSignals } from '../connection/bus.ts';
import type { LogPieceRecord } from '../schema/work-records.ts';

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

export interface Logs {
  readonly tables: LogPieces;
  readonly signals: LogSignals;
}
