import type { LogPiece } from '@dstack/client';
import { ConnectionError } from '@dstack/client';
import type { LogStreamStart } from '../../data/logs/log-stream.ts';
import { LogBuffer } from './log-buffer.ts';
import { MAX_MERGED_LINES, MergedLines, type SourceLine } from './merged-lines.ts';

/** One of the logs that are merged. */
export interface LogSource {
  readonly job: string;
  readonly attempt: number;
  readonly submission: string;
  /** The job has ended: nothing more will be printed. */
  readonly isOver: boolean;
}

export interface MergedLogOptions {
  /** The state of the sources now; always the same submissions. */
  readonly sources: () => readonly LogSource[];
  readonly read: (
    submission: string,
    from: LogStreamStart,
    signal: AbortSignal,
  ) => AsyncIterable<LogPiece>;
  readonly onLines: (lines: readonly SourceLine[], isComplete: boolean) => void;
  /** The pause between two rounds. `lost`: how many rounds in a row did not reach the server. */
  readonly pause: (signal: AbortSignal, lost: number) => Promise<void>;
}

/** Last lines of all jobs together that are loaded at first, and of each job at least and at most. */
const FIRST_LINES = 10_000;
const [LEAST_LINES, MOST_LINES] = [200, 5000];
/** Browsers allow six connections to a server, and the page needs some for other calls. */
const AT_ONCE = 2;

export function firstLinesOf(jobs: number): number {
  return Math.min(MOST_LINES, Math.max(LEAST_LINES, Math.floor(FIRST_LINES / jobs)));
}

/** Reads the logs in rounds until all are complete, as a browser cannot keep a stream for each. */
export async function readMerged(options: MergedLogOptions, signal: AbortSignal): Promise<void> {
  const { sources, read, onLines, pause } = options;
  const count = sources().length;
  const logs = sources().map(({ submission }) => ({
    submission,
    buffer: new LogBuffer({
      maxLines: Math.ceil(MAX_MERGED_LINES / count),
      schedule: (run) => run(),
    }),
    isComplete: false,
  }));
  const merged = new MergedLines();
  let settledAt = Number.NEGATIVE_INFINITY;
  let lost = 0;
  while (!signal.aborted) {
    const over = sources().map(({ isOver }) => isOver);
    const before = logs.map(({ buffer }) => buffer.end);
    const waiting = logs.flatMap((log, index) => (log.isComplete ? [] : [{ ...log, index }]));
    let isLost = false;
    const readNext = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const { buffer, submission, index } = next;
        const from = buffer.end === 0 ? { lines: firstLinesOf(count) } : { offset: buffer.end };
        try {
          for await (const { bytes, end, times } of read(submission, from, signal)) {
            buffer.append(bytes, end, times);
          }
        } catch (error) {
          // The next round goes on where this one was cut off.
          if (!(error instanceof ConnectionError)) throw error;
          isLost = true;
          return;
        }
        const log = logs[index];
        if (log !== undefined && over[index] === true) log.isComplete = true;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, readNext));
    if (signal.aborted) return;
    const isComplete = logs.every((log) => log.isComplete);
    const isNews = isComplete || logs.some(({ buffer }, index) => buffer.end !== before[index]);
    if (isNews)
      onLines(
        merged.update(
          logs.map(({ buffer }) => buffer.snapshot),
          settledAt,
        ),
        isComplete,
      );
    if (isComplete) return;
    // Whatever was printed before the latest line of this round is read by the end of the next one.
    if (!isLost) settledAt = Math.max(settledAt, ...logs.map(({ buffer }) => latestTime(buffer)));
    lost = isLost ? lost + 1 : 0;
    await pause(signal, lost);
  }
}

function latestTime({ snapshot }: LogBuffer): number {
  return snapshot.lines.findLast(({ time }) => time !== null)?.time ?? Number.NEGATIVE_INFINITY;
}
