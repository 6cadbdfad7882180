import type { Cli } from '../context.ts';
import { UsageError } from '../errors.ts';
import { awayText, outlast } from '../outlast.ts';

const REDRAW_MS = 2000;
const AWAY = 'The server does not answer: this is what it last reported.';

/**
 * `--watch`: draws the result of `frame` again and again, in place, until Ctrl-C. The last frame stays
 * while the server is away; before the first one, the reason is shown. Refused if stdout is not a terminal, where the frames would only fill a file.
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
  let shown = '';
  const onAway = (error: unknown): void => {
    const note = shown === '' ? awayText(error) : AWAY;
    io.redrawnOut?.draw(`${shown}${io.paint('warning', note)}\n`);
  };
  try {
    while (!stop.signal.aborted) {
      const text = await outlast(cli, frame, stop.signal, onAway);
      if (text === null || stop.signal.aborted) break;
      shown = text;
      io.redrawnOut?.draw(text);
      await cli.wait(intervalMs, stop.signal).catch(() => undefined);
    }
  } finally {
    release();
  }
}
