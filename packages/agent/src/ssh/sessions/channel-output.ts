import type { Writable } from 'node:stream';
import type { ServerChannel } from 'ssh2';
import type { OutputSink } from '../../executor/session-host.ts';

/** The state of a waiting write in ssh2's channel, which ssh2 does not reset. */
interface PendingWrite {
  _chunk?: Buffer | undefined;
  _chunkcb?: unknown;
  _chunkErr?: Buffer | undefined;
  _chunkcbErr?: unknown;
}

/**
 * Writes to a channel's output and error, never to both at a time: ssh2 1.17 stores one waiting
 * write of each, resumes only the first, and would send a finished one again. `hungUp` frees
 * writers, since a write to a closed channel never calls back.
 */
export function channelOutput(channel: ServerChannel, hungUp: Promise<void>): OutputSink {
  const pending = channel as unknown as PendingWrite;
  let [last, closed] = [Promise.resolve(), false];
  let wake = () => {};
  void hungUp.then(() => {
    closed = true;
    wake();
  });
  const write = (target: Writable, bytes: Buffer) =>
    new Promise<void>((resolve) => {
      wake = resolve;
      target.write(bytes, () => {
        pending._chunk = pending._chunkErr = undefined;
        pending._chunkcb = pending._chunkcbErr = undefined;
        resolve();
      });
    });
  return (bytes, isError) => {
    last = last.then(() => {
      if (closed || bytes.length === 0) return undefined;
      return write(isError ? channel.stderr : channel, bytes);
    });
    return last;
  };
}
