import type { Cli } from '../context.ts';
import { UsageError } from '../errors.ts';

const REDRAW_MS = 2000;

/**
 * `--watch`: draws what `frame` returns again and again, in place, until Ctrl-C. Where stdout is no
 * terminal the frames would be rubbish in a file, so it is refused.
 */
export async function watchFrames(
  cli: Cli,
  frame: () => Promise<string>,
  intervalMs = REDRAW_MS,
): Promise<void> {
  const { io } = cli;
  if (io.redrawnOut === null) {
    throw new UsageError('--watch needs a terminal', {
      why: 'the output is redirected',
      next: 'leave --watch out, or use --json in a loop',
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
