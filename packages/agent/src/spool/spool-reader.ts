/** A piece of a job's output. `time` = when it was read, microseconds since the epoch. */
export interface SpoolChunk {
  /** Larger than the offset asked for when the bytes in between are lost. */
  readonly offset: number;
  readonly time: number;
  readonly bytes: Uint8Array;
}

/**
 * Reads a job's output by byte offset, while it is being written and after its end. Readers never
 * slow the writer down, and any number of them may read at the same time.
 */
export interface SpoolReader {
  /** Bytes written so far (lost ones count). */
  readonly end: number;
  /** The first offset that is still kept. */
  readonly start: number;
  /**
   * At most `max` bytes from `offset` on, or null when there are none yet. A chunk holds bytes that
   * were read within 10 ms; several calls may be needed to get everything.
   */
  read(offset: number, max: number): Promise<SpoolChunk | null>;
  /** Calls `listener` with the new end each time it has grown; returns how to stop that. */
  follow(listener: (end: number) => void): () => void;
  /** Fulfilled with the final length once nothing more will come. */
  readonly ended: Promise<number>;
}
