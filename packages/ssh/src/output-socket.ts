import type { WebSocket } from 'ws';
import { type JobOutput, offsetAtSecond } from './job-output.ts';

/** Close codes of RFC 6455: the job's output is complete; a parameter is invalid. */
const COMPLETE = 1000;
const BAD_PARAMETER = 1003;
const FAILED = 1011;

const PIECE_BYTES = 32 * 1024;

/** A date and time with an offset (RFC 3339). A space instead of the `+` comes from clients that do not escape it. */
const RFC3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+\- ]\d\d:\d\d)$/;

/**
 * Sends the raw output of a job over `/logs_ws`: from the start, or from `startTime` at the
 * precision of seconds, then live. Closes when everything was sent. Frames are binary, and the
 * clients of dstack 0.22.5 write them to the terminal unchanged. A slow client delays only itself.
 */
export async function sendOutput(
  socket: WebSocket,
  output: JobOutput,
  startTime: string | null,
): Promise<void> {
  const second = startTime === null ? null : parseSecond(startTime);
  if (second !== null && Number.isNaN(second)) {
    socket.close(BAD_PARAMETER, 'start_time is not a time of RFC 3339');
    return;
  }
  try {
    await pump(socket, output, second);
    socket.close(COMPLETE);
  } catch (error) {
    socket.close(FAILED, reasonOf(error));
  }
}

/** Seconds since the epoch; NaN if the text is not a time. */
function parseSecond(text: string): number {
  if (!RFC3339.test(text)) return Number.NaN;
  const spaced = text.replace(/ (\d\d:\d\d)$/, '+$1').replace(' ', 'T');
  return Math.floor(Date.parse(spaced.toUpperCase()) / 1000);
}

async function pump(socket: WebSocket, output: JobOutput, second: number | null): Promise<void> {
  let wake = (): void => {};
  let hasMore = true;
  const woken = () => {
    hasMore = true;
    wake();
  };
  const unfollow = output.follow(woken);
  socket.once('close', woken);
  let final: number | null = null;
  void output.ended.then((length) => {
    final = length;
    woken();
  });
  try {
    let at = second === null ? output.start : await offsetAtSecond(output, second);
    while (socket.readyState === socket.OPEN) {
      hasMore = false;
      const chunk = await output.read(at, PIECE_BYTES);
      if (chunk) {
        at = chunk.offset + chunk.bytes.length;
        await send(socket, chunk.bytes);
        continue;
      }
      if (final !== null && at >= final) return;
      // The last bytes are lost, so there is nothing left to read.
      if (final !== null && !hasMore) return;
      if (!hasMore) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    unfollow();
    socket.off('close', woken);
  }
}

/** Resolves when the bytes are sent, or the socket is closed. */
function send(socket: WebSocket, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off('close', done);
      resolve();
    };
    // A channel that was closed never calls back.
    socket.once('close', done);
    socket.send(bytes, { binary: true }, done);
  });
}

/** The reason of a close frame: at most 123 bytes. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return Buffer.from(text).subarray(0, 120).toString();
}
