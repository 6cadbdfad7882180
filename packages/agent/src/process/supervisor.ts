import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { nowMicros } from '../clock.ts';
import { readLines } from '../json-lines.ts';
import { SpoolFeed } from '../spool/spool-feed.ts';
import { SpoolWriter } from '../spool/spool-writer.ts';
import { identify } from './process-identity.ts';
import { type JobTree, killTree, signalTree } from './process-tree.ts';
import {
  type AgentMessage,
  ALREADY_SUPERVISED,
  type ExitRecord,
  SupervisorFiles,
  type SupervisorMessage,
} from './supervisor-files.ts';
import { openTerminal, type Terminal } from './terminal.ts';

/** Output of background processes is waited for this long after the command's own end. */
const DRAIN_MS = 2000;
const RECORD_RETRY_MS = 500;

/**
 * Runs one job's command from start to end, whatever becomes of the agent: owns its terminal,
 * writes its spool, ends what it leaves behind, and records how it ended. `started` is called as
 * soon as an agent can connect. Resolves with the exit status of this process.
 */
export async function supervise(jobDir: string, started: () => void): Promise<number> {
  const files = new SupervisorFiles(jobDir);
  const supervisor = identify(process.pid);
  if (!supervisor) throw new Error('cannot read /proc');
  const launch = files.takeLaunch();
  const { socket, cwd, account, cgroup } = launch;
  const record = { supervisor, leader: null, socket, cwd, account, cgroup };
  if (!files.claim(record)) return ALREADY_SUPERVISED;
  files.reserveExit();
  const agents = new AgentConnections();
  const spool = new SpoolWriter({
    dir: files.spool,
    maskedValues: launch.maskedValues,
    onGrow: (end) => agents.tell({ end }),
  });
  spool.note(launch.notices ?? [], nowMicros());
  let terminal: Terminal;
  try {
    terminal = openTerminal(launch.terminal, launch);
  } catch (error) {
    spool.close(nowMicros());
    started();
    await recordExit(files, { status: null, error: messageOf(error), time: nowMicros() });
    return 0;
  }
  const feed = new SpoolFeed({ writer: spool, source: () => terminal });
  terminal.onData((bytes) => feed.push(bytes, nowMicros()));
  const leader = identify(terminal.pid);
  files.writeSupervisor({ ...record, leader });
  await agents.listen(launch.socket, (message) => {
    if (message.interrupt) terminal.interrupt();
  });
  started();
  const exit = await untilEnd({ id: launch.id, leader, cgroup }, terminal, feed);
  spool.close(nowMicros());
  await recordExit(files, exit);
  await agents.close();
  return 0;
}

/** An end that nobody knows of would be taken for a killed supervisor: it waits for room. */
async function recordExit(files: SupervisorFiles, exit: ExitRecord): Promise<void> {
  for (;;) {
    try {
      return files.writeExit(exit);
    } catch (error) {
      console.error(`the end of the job could not be recorded: ${messageOf(error)}`);
      await delay(RECORD_RETRY_MS);
    }
  }
}

async function untilEnd(tree: JobTree, terminal: Terminal, feed: SpoolFeed): Promise<ExitRecord> {
  try {
    const { status } = await terminal.exited;
    const time = nowMicros();
    signalTree(tree, 'SIGHUP');
    feed.hurry();
    await drain(terminal, feed);
    await killTree(tree);
    await Promise.race([terminal.closed, delay(100, undefined, { ref: false })]);
    await feed.settled();
    terminal.close();
    return { status, error: null, time };
  } catch (error) {
    return { status: null, error: messageOf(error), time: nowMicros() };
  }
}

/** On a full disk the rest waits for room, as the command itself did. */
async function drain(terminal: Terminal, feed: SpoolFeed): Promise<void> {
  do {
    await feed.settled();
    await Promise.race([terminal.closed, delay(DRAIN_MS, undefined, { ref: false })]);
  } while (feed.isWaiting);
}

/** The agent (one at a time, but its successor may connect before it is gone). */
class AgentConnections {
  readonly #sockets = new Set<Socket>();
  #server: Server | null = null;
  #newest: SupervisorMessage = { end: 0 };

  listen(path: string, onMessage: (message: AgentMessage) => void): Promise<void> {
    const server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('drain', () => this.#send(socket));
      readLines(socket, (line) => onMessage(JSON.parse(line)));
      this.#send(socket);
    });
    this.#server = server;
    return new Promise((resolve) => {
      // Without a socket the job still runs; an agent then follows it by its files.
      server.on('error', () => resolve());
      server.listen(path, resolve);
    });
  }

  /** Only the newest message counts, so an agent that does not read costs no memory. */
  tell(message: SupervisorMessage): void {
    this.#newest = message;
    for (const socket of this.#sockets) if (!socket.writableNeedDrain) this.#send(socket);
  }

  async close(): Promise<void> {
    this.tell({ done: true });
    for (const socket of this.#sockets) socket.end();
    const server = this.#server;
    if (server?.listening) {
      const closed = new Promise((resolve) => server.close(resolve));
      await Promise.race([closed, delay(1000, undefined, { ref: false })]);
    }
  }

  #send(socket: Socket): void {
    socket.write(`${JSON.stringify(this.#newest)}\n`);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
