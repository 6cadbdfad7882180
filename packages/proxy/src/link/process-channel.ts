import type { ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { type Frame, type Handlers, WorkerChannel } from './worker-channel.ts';

/** The other process, as `spawn` with `ipc` and the global `process` show it. */
export type OtherProcess = Pick<ChildProcess, 'send' | 'connected' | 'disconnect'> & {
  on(event: 'message', take: (frame: Frame, socket?: Socket) => void): unknown;
  once(event: 'disconnect', end: () => void): unknown;
};

/** Between the main process of a gateway and its workers: also connections can be passed on. */
export class ProcessChannel extends WorkerChannel {
  constructor(other: OtherProcess, handlers: Handlers) {
    super(handlers, ({ onFrame, onEnd }) => {
      other.on('message', (frame, socket) => onFrame(frame, socket));
      other.once('disconnect', onEnd);
      return {
        send(frame, socket) {
          if (!other.connected) return void socket?.destroy();
          other.send(frame, socket, (error) => error && socket?.destroy());
        },
        close: () => void (other.connected && other.disconnect()),
      };
    });
  }
}
