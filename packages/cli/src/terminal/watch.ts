import type { Cli } from '../context.ts';
import { UsageError } from '../errors.ts';

const REDRAW_MS = 2000;

/**
 * `--watch`: draws the result of `frame` again and again, in place, until Ctrl-C. Refused if stdout
 * is not a terminal, where the frames would only fill a file.
 */
export async function watchFrames(
  cli: Cli,
  frame: () => Promise<string>,
  intervalMs = REDRAW_MS,
): Promise<void> {
  const { io } = cli;
  if (io.redrawnOut === null) {
    throw new UsageError('--watch needs a terminal', {
      why: 'stdout is redirected',
      next: 'omit --watch, or use --json in a loop',
    });
  }
  const stop = new AbortController();
  const release = cli.onInterrupt(() => stop.abort());
  try {
    while (!stop.signal.aborted) {
      const text = await frame();
      if (stop.signal.aborted) break;
      io.redrawnOut?.draw(text);
      await cli.wait(intervalMs, stop.signal).catch(() => undefined);
    }
  } finally {
    release();
  }
}
