/**
 * One stored piece of a job's output, with the events that were decided when it was written. Pieces
 * of a job are numbered from 0 without gaps; a piece may hold no bytes, only events or the end.
 */
export interface LogPieceRow {
  readonly jobId: string;
  readonly seq: number;
  readonly project: string;
  readonly run: string;
  /** Offsets in the job's output of the first byte, and behind the last. */
  readonly startOffset: number;
  readonly endOffset: number;
  readonly bytes: Uint8Array;
  /** Offset and time of each append within the piece (`encodeMarks`). */
  readonly marks: Uint8Array;
  /** Number of the first event, and how many there are. */
  readonly firstEvent: number;
  readonly eventCount: number;
  /** The events (`encodeEvents`). */
  readonly events: Uint8Array;
  /** True when the output was complete with this piece. */
  readonly ended: boolean;
}

/** The table of pieces, as this store needs it from a database that several servers share. */
export interface BlobLogTables {
  newest(jobId: string): Promise<LogPieceRow | null>;
  /** False, and nothing stored, when a piece of this number exists. */
  insert(row: LogPieceRow): Promise<boolean>;
  /** The first piece with bytes behind `offset`. */
  withOffset(jobId: string, offset: number): Promise<LogPieceRow | null>;
  /** The piece that holds event number `ordinal`; `bytes` and `marks` may be left empty. */
  withEvent(jobId: string, ordinal: number): Promise<LogPieceRow | null>;
  delete(jobId: string): Promise<void>;
}

/**
 * Tells the other servers on the database that more of a stream is stored; the name is opaque. A
 * server need not hear what it said itself.
 */
export interface LogSignals {
  announce(stream: string): void;
  subscribe(listener: (stream: string) => void): () => void;
}
