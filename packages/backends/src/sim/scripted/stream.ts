import {
  type AgentFrame,
  type AgentInfo,
  encodeLogFrame,
  type JobState,
  parseServerFrame,
  type ServerFrame,
} from '@dstack/contract/agent';
import type { WebSocket } from 'ws';
import type { ScriptedJobs } from './scripted-jobs.ts';

/** Close code for an invalid frame, as in the real agent. */
const BAD_FRAME = 4400;

/**
 * One server's stream: `hello` and `sync`, and after its `resume` states and output as they come.
 */
export function serveStream(socket: WebSocket, jobs: ScriptedJobs, info: AgentInfo): void {
  const send = (frame: AgentFrame) => socket.send(JSON.stringify(frame));
  /** The bytes that were sent of each log. */
  const sent = new Map<string, number>();
  const waiting: AgentFrame[] = [];
  let isResumed = false;

  const sendLog = (id: string, offset: number) => {
    const bytes = jobs.output(id, offset);
    sent.set(id, offset + bytes.length);
    if (bytes.length > 0) socket.send(encodeLogFrame({ id, offset, time: now(), bytes }));
  };
  const onState = (n: number, state: JobState) => {
    const frame: AgentFrame = { type: 'state', n, state };
    if (!isResumed) {
      waiting.push(frame);
      return;
    }
    send(frame);
    sendLog(state.id, sent.get(state.id) ?? 0);
  };
  const onFrame = (frame: ServerFrame) => {
    if (frame.type === 'rewind') sendLog(frame.id, frame.offset);
    if (frame.type !== 'resume' || isResumed) return;
    isResumed = true;
    for (const early of waiting.splice(0)) send(early);
    for (const { id } of jobs.states) {
      const stored = frame.logs[id];
      if (stored !== undefined) sendLog(id, stored);
    }
  };

  socket.on('message', (data) => {
    try {
      const frame = parseServerFrame(String(data));
      if (frame) onFrame(frame);
    } catch {
      socket.close(BAD_FRAME, 'bad frame');
    }
  });
  socket.on('error', () => socket.terminate());
  const listener = { onState };
  socket.on('close', () => {
    if (jobs.listener === listener) jobs.listener = null;
  });
  jobs.listener = listener;
  send({ type: 'hello', info });
  send({ type: 'sync', jobs: jobs.states, last: jobs.last });
}

/** µs since the epoch. */
const now = () => Date.now() * 1000;
