import type { Duplex } from 'node:stream';
import { LineStream } from './line-stream.ts';
import { type Frame, type Handlers, WorkerChannel } from './worker-channel.ts';

/** Between the server and a worker, which outlives it: one JSON object a line, over a unix socket. */
export class LineChannel extends WorkerChannel {
  constructor(stream: Duplex, handlers: Handlers) {
    super(handlers, ({ onFrame, onEnd }) => {
      const lines = new LineStream(stream, {
        onLine: (line) => onFrame(JSON.parse(line) as Frame),
        onEnd,
        longest: Number.POSITIVE_INFINITY,
      });
      return { send: (frame) => lines.send(frame), close: () => lines.close() };
    });
  }
}
