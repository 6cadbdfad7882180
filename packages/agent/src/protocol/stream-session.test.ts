import { EventEmitter } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type AgentFrame,
  decodeLogFrame,
  parseAgentFrame,
  type ServerFrame,
} from '@dstack/contract/agent';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { WebSocket } from 'ws';
import { createEventLogger } from '../host/log.ts';
import type { JobRegistry } from '../jobs/registry.ts';
import { jobSpec } from '../testing/agent-harness.ts';
import { AGENT_INFO } from '../testing/agent-info.ts';
import {
  type ScriptedExecution,
  ScriptedExecutor,
  scriptedRegistry,
} from '../testing/scripted-executor.ts';
import { CLOSE_BAD_FRAME, CLOSE_FOREIGN_SERVER, StreamSession } from './stream-session.ts';

/** The agent's end of a stream, whose peer the test controls. */
class ScriptedSocket extends EventEmitter {
  readonly OPEN = 1;
  readyState = 1;
  bufferedAmount = 0;
  closed: number | null = null;
  /** Frames, and pieces of output as `offset:text`. */
  readonly sent: (AgentFrame | string)[] = [];

  send(message: string | Uint8Array, done?: () => void): void {
    if (typeof message === 'string') {
      const frame = parseAgentFrame(message);
      if (frame) this.sent.push(frame);
    } else {
      const { offset, bytes } = decodeLogFrame(message);
      this.sent.push(`${offset}:${Buffer.from(bytes)}`);
    }
    if (done) queueMicrotask(done);
  }

  close(code: number): void {
    this.closed = code;
    this.readyState = 3;
    this.emit('close');
  }

  terminate(): void {
    this.close(1006);
  }

  receive(frame: ServerFrame | string): void {
    const text = typeof frame === 'string' ? frame : JSON.stringify(frame);
    this.emit('message', Buffer.from(text), false);
  }

  /** Kinds of the frames so far. */
  get kinds(): readonly string[] {
    return this.sent.map((one) => (typeof one === 'string' ? 'log' : one.type));
  }

  get output(): readonly string[] {
    return this.sent.filter((one) => typeof one === 'string');
  }
}

let dir: string;
let executor: ScriptedExecutor;
let registry: JobRegistry;
let socket: ScriptedSocket;
let session: StreamSession;
let owner: string;
let notice: (AgentFrame & { type: 'notice' }) | null;
let health: (AgentFrame & { type: 'health' }) | null;

beforeEach(() => {
  vi.useFakeTimers();
  dir = mkdtempSync(join(tmpdir(), 'stream-'));
  executor = new ScriptedExecutor();
  registry = scriptedRegistry(dir, executor);
  owner = 'server-1';
  health = null;
  notice = null;
});
afterEach(async () => {
  socket.close(1000);
  await registry.close();
  vi.useRealTimers();
  rmSync(dir, { recursive: true });
});

function connect(): void {
  socket = new ScriptedSocket();
  session = new StreamSession(socket as unknown as WebSocket, {
    info: () => AGENT_INFO,
    health: () => health,
    notice: () => notice,
    registry,
    log: createEventLogger(() => {}),
    claim: (id) => id === owner,
  });
}

/** A running job and its execution, which the test controls. */
async function running(): Promise<{ id: string; job: ScriptedExecution }> {
  const spec = jobSpec(['true']);
  registry.put(spec);
  await vi.waitFor(() => expect(registry.state(spec.id).phase).toBe('running'));
  return { id: spec.id, job: executor.of(spec.id) };
}

function resume(logs: Readonly<Record<string, number>> = {}): void {
  socket.receive({ type: 'resume', server_id: 'server-1', logs });
}

const soon = (check: () => void) => vi.waitFor(check);

describe('a stream', () => {
  it('begins with the agent and all of its jobs, and waits for the server’s answer', async () => {
    const { id } = await running();
    connect();
    const other = await running();
    other.job.spool.print('line\n');
    session.sendNow({ type: 'activity', id, no_connections_secs: 1 });
    await vi.advanceTimersByTimeAsync(1000);
    expect(socket.sent).toEqual([
      { type: 'hello', info: AGENT_INFO },
      { type: 'sync', jobs: [expect.objectContaining({ id, phase: 'running' })], last: 4 },
    ]);
  });

  it('sends the states that came meanwhile when the server has answered, in their order', async () => {
    connect();
    const { id } = await running();
    resume();
    const states = socket.sent.filter((one) => typeof one === 'object' && one.type === 'state');
    expect(states).toMatchObject([
      { n: 1, state: { id, phase: 'accepted' } },
      { n: 2, state: { id, phase: 'preparing' } },
      { n: 3, state: { id, phase: 'starting' } },
      { n: 4, state: { id, phase: 'running' } },
    ]);
  });

  it('reports that the provider takes the machine back, at once or to a server that has answered', () => {
    const found = { type: 'notice', reason: 'terminate', at: null, left_secs: 9 } as const;
    connect();
    notice = found;
    session.onNotice(found);
    expect(socket.kinds).toEqual(['hello', 'sync']);
    socket.receive({ type: 'resume', server_id: 'server-1', logs: {} });
    session.onNotice({ ...found, left_secs: 5 });
    expect(socket.sent.slice(2)).toEqual([found, { ...found, left_secs: 5 }]);
  });

  it('reports the health of the host to a server that has answered, if it is known', async () => {
    health = { type: 'health', time: 5, checks: [] };
    connect();
    expect(socket.kinds).toEqual(['hello', 'sync']);
    resume();
    expect(socket.sent.slice(2)).toEqual([health]);
  });

  it('sends output from the stored length on, and none of jobs without a record of the server', async () => {
    const [known, unknown] = [await running(), await running()];
    known.job.spool.print('old\nnew\n');
    unknown.job.spool.print('secret\n');
    connect();
    resume({ [known.id]: 4 });
    await soon(() => expect(socket.output).toEqual(['4:new\n']));
    unknown.job.spool.print('more\n');
    await vi.advanceTimersByTimeAsync(1000);
    expect(socket.output).toEqual(['4:new\n']);
  });

  it('sends a job’s output again from the offset that the server requests', async () => {
    const { id, job } = await running();
    job.spool.print('one\ntwo\n');
    connect();
    resume({ [id]: 0 });
    await soon(() => expect(socket.output).toEqual(['0:one\ntwo\n']));
    socket.receive({ type: 'rewind', id, offset: 4 });
    await soon(() => expect(socket.output).toEqual(['0:one\ntwo\n', '4:two\n']));
  });

  it('reports the lost part of a log', async () => {
    const { id, job } = await running();
    job.spool.print('lost\nkept\n');
    job.spool.drop(5);
    connect();
    resume({ [id]: 0 });
    await soon(() => expect(socket.output).toEqual(['5:kept\n']));
    expect(socket.sent).toContainEqual({ type: 'gap', id, offset: 5 });
  });

  it('reads a log again that could not be read, also of a job that prints nothing more', async () => {
    const { id, job } = await running();
    job.spool.print('line\n');
    const read = vi.spyOn(job.spool, 'read').mockRejectedValueOnce(new Error('EIO'));
    connect();
    resume({ [id]: 0 });
    await soon(() => expect(read).toHaveBeenCalledTimes(1));
    expect(socket.output).toEqual([]);
    await vi.advanceTimersByTimeAsync(1000);
    await soon(() => expect(socket.output).toEqual(['0:line\n']));
  });

  it('sends states, but neither output nor metrics, to a server that reads nothing', async () => {
    const { id, job } = await running();
    job.spool.print('line\n');
    connect();
    socket.bufferedAmount = 10_000_000;
    resume({ [id]: 0 });
    session.sendNow({ type: 'activity', id, no_connections_secs: 1 });
    registry.stop(id, { grace: true, reason: 'terminated_by_user', message: null });
    await vi.advanceTimersByTimeAsync(1000);
    expect(socket.kinds).toEqual(['hello', 'sync', 'state']);
  });

  it('sends the output of a job that is put while it is open', async () => {
    connect();
    resume();
    const { job } = await running();
    job.spool.print('line\n');
    await vi.advanceTimersByTimeAsync(100);
    await soon(() => expect(socket.output).toEqual(['0:line\n']));
  });

  it('ends for a server that the agent does not belong to', async () => {
    await running();
    connect();
    socket.receive({ type: 'resume', server_id: 'server-2', logs: {} });
    expect(socket.closed).toBe(CLOSE_FOREIGN_SERVER);
    expect(socket.kinds).toEqual(['hello', 'sync']);
  });

  it.each(['', '{', '[]', '{"type":"credit","id":"x","bytes":1}', '{"type":"resume"}'])(
    'ends for %j, which is not a frame',
    (message) => {
      connect();
      socket.receive(message);
      expect(socket.closed).toBe(CLOSE_BAD_FRAME);
    },
  );

  it('ignores frames of newer servers, and acknowledgements', () => {
    connect();
    socket.receive('{"type":"weather","rain":true}');
    socket.receive({ type: 'ack', states: 3 });
    expect(socket.closed).toBeNull();
  });

  it('sends nothing any more after its end', async () => {
    const { id, job } = await running();
    connect();
    resume({ [id]: 0 });
    socket.close(1001);
    job.spool.print('line\n');
    job.exit(0);
    await vi.advanceTimersByTimeAsync(1000);
    expect(registry.state(id).phase).toBe('exited');
    expect(socket.kinds).toEqual(['hello', 'sync']);
  });
});
