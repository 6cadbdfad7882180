import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { AgentClient, type Dial } from './agent-client.ts';
import type { LocalUsers } from './local-users.ts';
import {
  connectOwn,
  makeSocketFolder,
  removeEmptySocketFolder,
  socketPath,
} from './socket-folder.ts';

export interface LocalAgentOptions {
  /** Folder of the agent's state, `<server dir>/agent`. */
  readonly stateDir: string;
  /** Node, and the agent's program: a bundle, or its source in development. */
  readonly node: string;
  readonly program: string;
  readonly executor: 'docker' | 'process';
  readonly serverId: string;
  /**
   * User ids for process jobs, and where the files of these users lie; null = jobs run as the
   * server's user.
   */
  readonly jobUsers: LocalUsers['own'];
  /** Whether other servers, with a host each, use the same database. */
  readonly shared: boolean;
}

export interface LocalAgent {
  readonly dial: Dial;
  readonly token: string;
  readonly socket: string;
  /** Key of the server host's record. */
  readonly hostId: string;
  /** Starts the agent unless one answers already; resolves when its socket accepts connections. */
  ensureRunning(): Promise<void>;
  /** Removes the folder of the socket if no agent listens there: an agent that ends in its start leaves it. */
  leave(): void;
}

/** Whether the host is the server host; only its server is linked to it. */
export function isLocalHost(hostId: string): boolean {
  return hostId === 'local' || hostId.startsWith('local-');
}

/** Detecting GPUs takes half a minute on machines with many of them. */
const START_LIMIT_MS = 45_000;
const POLL_MS = 15;

/** Exit code of an agent that finds another one running, which may be about to listen. */
const ALREADY_RUNNING = 4;
/**
 * Milliseconds after which the other agent is replaced: its socket was removed, or is in another
 * folder because the server was started differently. Jobs are not affected.
 */
const OTHER_LIMIT_MS = 10_000;

/**
 * The agent of the server's machine. It lives in a separate session, so that jobs continue when the
 * server ends. The next server finds it by its socket, whose name is derived from the state folder.
 */
export function localAgent(options: LocalAgentOptions): LocalAgent {
  mkdirSync(options.stateDir, { recursive: true, mode: 0o700 });
  const socket = socketPath(options.stateDir);
  makeSocketFolder(socket);
  const log = join(options.stateDir, 'agent.log');
  const token = readOrMake(join(options.stateDir, 'token'), () => randomBytes(32).toString('hex'));
  const dial = () => connectOwn(socket);
  return {
    token,
    socket,
    hostId: localHostId(options),
    dial,
    leave: () => removeEmptySocketFolder(socket),
    async ensureRunning() {
      makeSocketFolder(socket);
      const outdated = (await answers(socket)) ? await outdatedAgent(options, dial, token) : null;
      if (outdated === 'none') return;
      const begun = performance.now();
      let replacing = outdated !== null;
      let ended = endOf(startAgent(options, socket, ...(replacing ? ['--replace'] : [])));
      for (; performance.now() < begun + START_LIMIT_MS; await delay(POLL_MS)) {
        if (lockOf(options) !== outdated && (await answers(socket))) return;
        const how = ended();
        if (how === null) continue;
        if (how !== ALREADY_RUNNING) throw new Error(`the agent did not start: ${how}; see ${log}`);
        if (replacing || performance.now() < begun + OTHER_LIMIT_MS) continue;
        ended = endOf(startAgent(options, socket, '--replace'));
        replacing = true;
      }
      throw new Error(`the agent did not start within 45 s; see ${log}`);
    },
  };
}

/**
 * The lock of the running agent if an earlier server started it with other job users or another
 * executor, so that it must be replaced; its jobs continue. `none`: it may stay.
 */
async function outdatedAgent(
  options: LocalAgentOptions,
  dial: Dial,
  token: string,
): Promise<string | 'none'> {
  const client = new AgentClient({ dial, token });
  try {
    const { executor } = await client.info();
    const hasUsers = readText(usersPath(options)) === usersText(options);
    return hasUsers && executor === options.executor ? 'none' : lockOf(options);
  } finally {
    client.close();
  }
}

/** Content of the lock file, which differs after each start of an agent. */
function lockOf({ stateDir }: LocalAgentOptions): string {
  return readText(join(stateDir, 'agent.lock'));
}

function usersPath({ stateDir }: LocalAgentOptions): string {
  return join(stateDir, 'job-users');
}

function usersText(options: LocalAgentOptions): string {
  return usersArgs(options).join(' ');
}

function usersArgs({ jobUsers }: LocalAgentOptions): string[] {
  if (jobUsers === null) return [];
  const { uids, homes } = jobUsers;
  return ['--job-uids', `${uids.first}-${uids.last}`, '--job-homes', homes];
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    // Not written yet, or by a version that did not write it.
    return '';
  }
}

/**
 * Key of the record of the server's machine. It is the same after restarts, and differs between
 * servers of one database.
 */
export function localHostId({
  stateDir,
  shared,
}: Pick<LocalAgentOptions, 'stateDir' | 'shared'>): string {
  if (!shared) return 'local';
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  return readOrMake(join(stateDir, 'host-id'), () => `local-${randomUUID()}`);
}

function readOrMake(path: string, make: () => string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    const text = make();
    writeFileSync(path, `${text}\n`, { mode: 0o600 });
    return text;
  }
}

function startAgent(
  options: LocalAgentOptions,
  socket: string,
  ...more: readonly string[]
): ChildProcess {
  const log = openSync(join(options.stateDir, 'agent.log'), 'a', 0o600);
  const args = [
    options.program,
    ...['--state', options.stateDir],
    ...['--socket', socket],
    ...['--executor', options.executor],
    ...['--server-id', options.serverId],
    ...['--exit-when-idle', '10'],
    ...usersArgs(options),
    ...more,
  ];
  writeFileSync(usersPath(options), `${usersText(options)}\n`, { mode: 0o600 });
  try {
    const env = agentEnvironment(process.env);
    return spawn(options.node, args, { env, detached: true, stdio: ['ignore', log, log] });
  } finally {
    closeSync(log);
  }
}

/** Variables of the server that are meant for the agent. */
const OF_AGENT = ['DSTACK_AGENT_NODE', 'DSTACK_AGENT_HEALTH_SECONDS'];

/** The agent must not receive the server's settings, keys and database password. */
function agentEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const own = ([name]: readonly [string, unknown]) =>
    name.startsWith('DSTACK_') && !OF_AGENT.includes(name);
  return Object.fromEntries(Object.entries(env).filter((entry) => !own(entry)));
}

/** Returns how the process has ended; null while it runs. */
function endOf(child: ChildProcess): () => string | typeof ALREADY_RUNNING | null {
  let how: string | typeof ALREADY_RUNNING | null = null;
  child.on('error', (error) => {
    how = error.message;
  });
  child.on('exit', (code, signal) => {
    how ??= code === ALREADY_RUNNING ? code : `it ended with ${signal ?? `code ${code}`}`;
  });
  child.unref();
  return () => how;
}

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(socket);
    probe.on('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.on('error', () => resolve(false));
  });
}
