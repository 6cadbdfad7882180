/** A job's output by byte offset. The agent's spool implements it. */
export interface JobOutput {
  /** Offset after the newest byte. */
  readonly end: number;
  /** Offset of the oldest stored byte. */
  readonly start: number;
  /**
   * At most `max` bytes from `offset` on, read from the job at `time` (microseconds since the
   * epoch); begins later if the bytes in between are lost. Null if there are none (yet).
   */
  read(offset: number, max: number): Promise<OutputChunk | null>;
  /** Calls `listener` after each growth. Returns a function that stops this. */
  follow(listener: () => void): () => void;
  /** Resolves with the final length once the output is complete. */
  readonly ended: Promise<number>;
}

export interface OutputChunk {
  readonly offset: number;
  readonly time: number;
  readonly bytes: Uint8Array;
}

const SECOND_MICROS = 1_000_000;

/**
 * The first offset of output from `second` (since the epoch) on. Times grow with offsets, so a few
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
