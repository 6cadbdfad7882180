import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { errorMessage } from '@dstack/contract/error-message';
import { withTimeout } from '@dstack/contract/with-timeout';
import { nowMicros } from '../host/clock.ts';
import { memoryKills, preferAsVictim } from '../host/memory-kills.ts';
import { identifyProcess, startTextOf } from '../host/process-identity.ts';
import { type JobTree, killTree, signalTree } from '../host/process-tree.ts';
import { readLines } from '../network/json-lines.ts';
import { SpoolFeed } from '../spool/spool-feed.ts';
import { SpoolWriter } from '../spool/spool-writer.ts';
import { openNamespace } from './isolation/namespace.ts';
import { isOnItsWay, runAs } from './run-as.ts';
import {
  type AgentMessage,
  ALREADY_SUPERVISED,
  type ExitRecord,
  type Launch,
  SupervisorFiles,
  type SupervisorMessage,
  type SupervisorRecord,
} from './supervisor-files.ts';
import { openTerminal, type Terminal } from './terminal.ts';

/** How long the supervisor waits for output of background processes after the command's end. */
const DRAIN_MS = 2000;
/** The terminal closes at once, unless a process that survived the kill still has it open. */
const CLOSE_MS = 100;
/** Agents read the last message within this time, or never. */
const AGENTS_CLOSE_MS = 1000;
const RECORD_RETRY_MS = 500;
/** The prefix of a command takes some milliseconds; this is a limit for a very busy machine. */
const TAKEN_MS = 10_000;
const TAKEN_LOOK_MS = 2;

/**
 * Runs one job's command from start to end, independently of the agent: owns its terminal, writes
 * its spool, kills the processes that it leaves, and records how it ended. `onReady` is called as
 * soon as an agent can connect. Resolves with the exit status of this process.
 */
export async function supervise(jobDir: string, onReady: () => void): Promise<number> {
  const files = new SupervisorFiles(jobDir);
  const supervisor = identifyProcess(process.pid);
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
    onGrow: (end) => agents.send({ end }),
  });
  spool.note(launch.notices ?? [], nowMicros());
  const killsBefore = memoryKills(cgroup) ?? 0;
  let started: Started;
  try {
    started = await startCommand(launch, (known) => files.writeSupervisor({ ...record, ...known }));
  } catch (error) {
    spool.close(nowMicros());
    onReady();
    await recordExit(files, { status: null, error: errorMessage(error), time: nowMicros() });
    return 0;
  }
  const { terminal, leader, isolation } = started;
  const feed = new SpoolFeed({ writer: spool, source: () => terminal });
  terminal.onData((bytes) => feed.push(bytes, nowMicros()));
  await agents.listen(launch.socket, (message) => {
    if (message.interrupt) terminal.interrupt();
  });
  onReady();
  const uid = isolation?.ownUser ? account.uid : null;
  const exit = await untilEnd({ id: launch.id, leader, cgroup, uid }, terminal, feed);
  const outOfMemory = (memoryKills(cgroup) ?? 0) > killsBefore;
  spool.close(nowMicros());
  await recordExit(files, { ...exit, outOfMemory });
  await agents.close();
  await started.end();
  return 0;
}

type Known = Pick<SupervisorRecord, 'leader' | 'isolation'>;

/** A running command with its terminal. */
interface Started extends Required<Known> {
  readonly terminal: Terminal;
  end(): Promise<void>;
}

/**
 * Resolves when the command runs as its user in its namespaces; rejects if that fails. Calls
 * `onKnown` as soon as the process exists, so that it can be found if this supervisor dies.
 */
async function startCommand(launch: Launch, onKnown: (known: Known) => void): Promise<Started> {
  const { isolation, account, cgroup } = launch;
  if (!isolation) {
    const terminal = openTerminal(launch.terminal, launch);
    preferAsVictim(terminal.pid);
    const known = { leader: identifyProcess(terminal.pid), isolation: null };
    onKnown(known);
    return { terminal, ...known, end: async () => {} };
  }
  const { ownUser, opensFiles = false } = isolation;
  const namespace = isolation.namespace && (await openNamespace(isolation.namespace));
  const namespaceOf = namespace?.pid ?? null;
  const entersAsUser = namespaceOf !== null || ownUser;
  const wrapped = runAs(launch, { account, cgroup, namespaceOf, entersAsUser, opensFiles });
  const terminal = openTerminal(launch.terminal, wrapped);
  const holder = namespaceOf === null ? null : identifyProcess(namespaceOf);
  const known = {
    leader: identifyProcess(terminal.pid),
    isolation: { namespace: holder, ownUser, opensFiles },
  };
  onKnown(known);
  await untilTaken(terminal);
  return { terminal, ...known, end: async () => await namespace?.close() };
}

/** Resolves when the process has the job's environment, which later sessions copy. */
async function untilTaken({ pid, exited }: Terminal): Promise<void> {
  let ended = false;
  exited.then(
    () => {
      ended = true;
    },
    () => {
      ended = true;
    },
  );
  const ours = startTextOf(process.pid, 'cmdline');
  for (const end = Date.now() + TAKEN_MS; !ended && Date.now() < end; ) {
    const environ = startTextOf(pid, 'environ');
    // At first it is a copy of this process.
    const isCopy = startTextOf(pid, 'cmdline') === ours;
    if (!isCopy && environ !== '' && !isOnItsWay(environ)) return;
    await delay(TAKEN_LOOK_MS);
  }
}

/**
 * Waits for space on the disk: without a record, agents would conclude that the supervisor was
 * killed.
 */
async function recordExit(files: SupervisorFiles, exit: ExitRecord): Promise<void> {
  for (;;) {
    try {
      return files.writeExit(exit);
    } catch (error) {
      console.error(`the end of the job could not be recorded: ${errorMessage(error)}`);
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
    await withTimeout(() => terminal.closed, { ms: CLOSE_MS, onTimeout: () => {} });
    await feed.settled();
    terminal.close();
    return { status, error: null, time };
  } catch (error) {
    return { status: null, error: errorMessage(error), time: nowMicros() };
  }
}

/** On a full disk the rest waits for space, as the command itself did. */
async function drain(terminal: Terminal, feed: SpoolFeed): Promise<void> {
  do {
    await feed.settled();
    await withTimeout(() => terminal.closed, { ms: DRAIN_MS, onTimeout: () => {} });
  } while (feed.isWaiting);
}

/** The agent. There is one at a time, but its successor may connect before it has disconnected. */
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
      // Without a socket the job still runs. An agent then follows it by its files.
      server.on('error', () => resolve());
      server.listen(path, resolve);
    });
  }

  /** Only the newest message counts, so an agent that does not read costs no memory. */
  send(message: SupervisorMessage): void {
    this.#newest = message;
    for (const socket of this.#sockets) if (!socket.writableNeedDrain) this.#send(socket);
  }

  async close(): Promise<void> {
    this.send({ done: true });
    for (const socket of this.#sockets) socket.end();
    const server = this.#server;
    if (server?.listening) {
      const closed = new Promise((resolve) => server.close(resolve));
      await withTimeout(() => closed, { ms: AGENTS_CLOSE_MS, onTimeout: () => {} });
    }
  }

  #send(socket: Socket): void {
    socket.write(`${JSON.stringify(this.#newest)}\n`);
  }
}
