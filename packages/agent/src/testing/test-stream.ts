import {
  type AgentFrame,
  decodeLogFrame,
  type JobState,
  type LogFrame,
  parseAgentFrame,
  type ServerFrame,
} from '@dstack/contract/agent';
import { WebSocket } from 'ws';

/** The server's side of a stream for tests: stores all frames and waits for more. */
export class TestStream {
  readonly frames: AgentFrame[] = [];
  readonly logFrames: LogFrame[] = [];
  /** Stored output per job, appended at exactly the stored length as a server does. */
  readonly logs = new Map<string, Buffer>();
  readonly #socket: WebSocket;
  readonly #waiters = new Set<() => void>();
  closeCode: number | null = null;
  /** Whether received log bytes are answered with new credit. */
  grants = true;

  private constructor(socket: WebSocket, logs: ReadonlyMap<string, Buffer>) {
    this.#socket = socket;
    this.logs = new Map(logs);
    socket.on('message', (data, binary) => {
      if (binary) this.#onLog(decodeLogFrame(data as Buffer));
      else this.#onFrame(parseAgentFrame(String(data)));
      this.#wake();
    });
    socket.on('close', (code) => {
      this.closeCode = code;
      this.#wake();
    });
    socket.on('error', () => {});
  }

  /**
   * Connects, waits for `sync`, and answers it with the lengths of `logs`. `known` = ids of the
   * jobs that this server has a record of, all by default.
   */
  static async open(
    path: string,
    token: string,
    serverId: string,
    logs: ReadonlyMap<string, Buffer> = new Map(),
    known: readonly string[] | null = null,
  ): Promise<TestStream> {
    const headers = { authorization: `Bearer ${token}` };
    const socket = new WebSocket(`ws+unix:${path}:/v1/stream`, { headers });
    const stream = new TestStream(socket, logs);
    const sync = await stream.until(
      () => stream.frames.find((frame) => frame.type === 'sync') ?? stream.closeCode,
    );
    if (typeof sync === 'number') return stream;
    const lengths = Object.fromEntries(
      sync.jobs
        .filter(({ id }) => known?.includes(id) ?? true)
        .map(({ id }) => [id, stream.logs.get(id)?.length ?? 0]),
    );
    stream.send({ type: 'resume', server_id: serverId, logs: lengths });
    return stream;
  }

  send(frame: ServerFrame): void {
    this.#socket.send(JSON.stringify(frame));
  }

  ping(): void {
    this.#socket.ping();
  }

  /** The first truthy value of `look`, which is called again after each message. */
  async until<T>(look: () => T): Promise<NonNullable<Exclude<T, false | 0 | ''>>> {
    for (;;) {
      const value = look();
      if (value) return value as NonNullable<Exclude<T, false | 0 | ''>>;
      await new Promise<void>((resolve) => this.#waiters.add(resolve));
    }
  }

  states(id: string): JobState[] {
    const synced = this.frames.flatMap((frame) => (frame.type === 'sync' ? frame.jobs : []));
    const pushed = this.frames.flatMap((frame) => (frame.type === 'state' ? [frame.state] : []));
    return [...synced, ...pushed].filter((state) => state.id === id);
  }

  state(id: string): JobState | undefined {
    return this.states(id).at(-1);
  }

  text(id: string): string {
    return this.logs.get(id)?.toString() ?? '';
  }

  /** Waits until the job has exited and all of its output has arrived. */
  async whole(id: string): Promise<{ readonly state: JobState; readonly text: string }> {
    const state = await this.until(() => {
      const last = this.state(id);
      return last?.phase === 'exited' && (this.logs.get(id)?.length ?? 0) >= last.log_end
        ? last
        : null;
    });
    return { state, text: this.text(id) };
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#socket.once('close', resolve));
    this.#socket.close();
    if (this.closeCode === null) await closed;
  }

  #onFrame(frame: AgentFrame | null): void {
    if (frame) this.frames.push(frame);
  }

  #onLog(frame: LogFrame): void {
    this.logFrames.push(frame);
    const stored = this.logs.get(frame.id) ?? Buffer.alloc(0);
    if (frame.offset > stored.length) {
      this.send({ type: 'rewind', id: frame.id, offset: stored.length });
      return;
    }
    const fresh = frame.bytes.subarray(stored.length - frame.offset);
    this.logs.set(frame.id, Buffer.concat([stored, fresh]));
    if (this.grants) this.send({ type: 'credit', id: frame.id, bytes: frame.bytes.length });
  }

  #wake(): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const waiter of waiters) waiter();
  }
}
