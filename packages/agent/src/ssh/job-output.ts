/** What a job prints, by byte offset; the agent's spool is one. */
export interface JobOutput {
  /** Offset behind the newest byte. */
  readonly end: number;
  /** Offset of the oldest byte that is still kept. */
  readonly start: number;
  /**
   * At most `max` bytes from `offset` on, read from the job at `time` (microseconds since the epoch);
   * begins later when the bytes in between are lost. Null when there are none (yet).
   */
  read(offset: number, max: number): Promise<OutputChunk | null>;
  /** Calls `listener` each time there is more; returns how to stop that. */
  follow(listener: () => void): () => void;
  /** Fulfilled with the final length once nothing more will come. */
  readonly ended: Promise<number>;
}

export interface OutputChunk {
  readonly offset: number;
  readonly time: number;
  readonly bytes: Uint8Array;
}

const SECOND_MICROS = 1_000_000;

/**
 * The first offset of output from `second` (since the epoch) on. Times rise with offsets, so a few
 * reads of one byte find it in any amount of output.
 */
export async function offsetAtSecond(output: JobOutput, second: number): Promise<number> {
  let low = output.start;
  let high = output.end;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const chunk = await output.read(middle, 1);
    if (!chunk) {
      high = middle;
    } else if (Math.floor(chunk.time / SECOND_MICROS) >= second) {
      high = middle;
    } else {
      low = Math.max(middle, chunk.offset) + 1;
    }
  }
  return low;
}
