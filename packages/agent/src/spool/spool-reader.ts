/** A piece of a job's output. `time` = when it was read, microseconds since the epoch. */
export interface SpoolChunk {
  /** Greater than the requested offset if the bytes in between are lost. */
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
   * At most `max` bytes from `offset` on, or null if there are none yet. A chunk holds bytes that
   * were read within 10 ms; several calls may be needed to get everything.
   */
  read(offset: number, max: number): Promise<SpoolChunk | null>;
  /** Calls `listener` with the new end after each growth. Returns a function that stops this. */
  follow(listener: (end: number) => void): () => void;
  /** Resolves with the final length once the output is complete. */
  readonly ended: Promise<number>;
}
