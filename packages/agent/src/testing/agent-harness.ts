import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { JobSpecForAgent, JobState, JobUser } from '@dstack/contract/agent';
import { TestStream } from './test-stream.ts';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));
/**
 * Where Node keeps what it has compiled of the sources: an agent starts in a third of the processor time,
 * and its supervisors likewise.
 */
const COMPILED = fileURLToPath(new URL('../../../../.cache/compiled', import.meta.url));

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever came back
  readonly body: any;
}

/** A real agent process with its own directory, for tests. */
export class AgentHarness {
  readonly dir = mkdtempSync(join(tmpdir(), 'agent-'));
  readonly state = join(this.dir, 'state');
  readonly socket: string;
  readonly token: string = randomUUID();
  readonly #main: string;
  readonly #args: readonly string[];
  readonly #env: NodeJS.ProcessEnv;
  readonly #around: readonly string[];
  #child: ChildProcess | null = null;
  #log = '';

  /**
   * `main`: path of the program, by default the source; `around`: a command prefix, which must
   * become the agent's own process; `socket`: its name in the directory.
   */
  constructor(
    args: readonly string[] = ['--executor', 'process'],
    env: NodeJS.ProcessEnv = {},
    main: string = MAIN,
    around: readonly string[] = [],
    socket = 'agent.sock',
  ) {
    this.socket = join(this.dir, socket);
    this.#around = around;
    this.#main = main;
    this.#args = args;
    this.#env = env;
    mkdirSync(this.state, { mode: 0o700 });
    writeFileSync(join(this.state, 'token'), this.token, { mode: 0o600 });
  }

  /** The log of all agents of this directory. */
  get log(): string {
    return this.#log;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Resolves when it listens; rejects if it ends before. */
  async start(...more: string[]): Promise<void> {
    const child = this.spawn(...more);
    this.#child = child;
    await new Promise<void>((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`agent ended with ${code}: ${this.#log}`)));
      child.stderr?.on('data', (text) => {
        if (String(text).includes('"listening"')) resolve();
      });
    });
  }

  /** Starts a second process on the same directory, without waiting for its end. */
  spawn(...more: string[]): ChildProcess {
    const [program = '', ...args] = [
      ...this.#around,
      process.execPath,
      this.#main,
      '--state',
      this.state,
      '--socket',
      this.socket,
      ...this.#args,
      ...more,
    ];
    const child = spawn(program, args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { NODE_COMPILE_CACHE: COMPILED, ...process.env, ...this.#env },
    });
    child.stderr?.on('data', (text) => {
      this.#log += text;
    });
    return child;
  }

  /** Ends the agent and waits for it. Its jobs continue. */
  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  }

  /** Resolves with the exit code when the agent ends by itself. */
  async ended(): Promise<number | null> {
    const child = this.#child;
    if (!child || child.exitCode !== null) return child?.exitCode ?? null;
    return new Promise((resolve) => child.once('exit', (code) => resolve(code)));
  }

  call(method: string, path: string, body?: unknown, token = this.token): Promise<Answer> {
    return callAgent(this.socket, token, method, path, body);
  }

  async put(spec: JobSpecForAgent): Promise<Answer> {
    return this.call('PUT', `/v1/jobs/${spec.id}`, spec);
  }

  async stop(id: string, grace: boolean, reason = 'terminated_by_user'): Promise<JobState> {
    return (await this.call('POST', `/v1/jobs/${id}/stop`, { grace, reason, message: null })).body;
  }

  async connect(serverId = 'server-1'): Promise<TestStream> {
    return TestStream.open(this.socket, this.token, serverId);
  }

  /**
   * Kills the agent and starts it again. Returns the stream of a server that has stored the same
   * output as `before`.
   */
  async restartAfterKill(before: TestStream): Promise<TestStream> {
    await this.end('SIGKILL');
    await before.until(() => before.closeCode);
    await this.start();
    return TestStream.open(this.socket, this.token, 'server-1', before.logs);
  }

  /** Ends the agent and everything that its jobs have left, and removes all files. */
  async dispose(): Promise<void> {
    for (const id of this.#jobIds()) {
      await this.stop(id, false).catch(() => null);
    }
    await this.end('SIGTERM');
    for (const id of this.#jobIds()) this.#killSupervisor(id);
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }

  #jobIds(): string[] {
    return [...this.#log.matchAll(/"job":"([^"]+)"/g)].map((match) => match[1] ?? '');
  }

  #killSupervisor(id: string): void {
    try {
      const text = readFileSync(join(this.state, 'jobs', id, 'supervisor.json'), 'utf8');
      const { supervisor, leader } = JSON.parse(text);
      for (const { pid } of [supervisor, leader ?? supervisor]) process.kill(pid, 'SIGKILL');
    } catch {
      // It has already ended, as it should.
    }
  }
}

/** Sends one request to an agent: a buffer unchanged, everything else as JSON. */
export function callAgent(
  socketPath: string,
  token: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<Answer> {
  const raw = Buffer.isBuffer(body) ? body : body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}` };
    const outgoing = request({ socketPath, method, path, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part) => {
        text += part;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: text ? JSON.parse(text) : null }),
      );
    });
    outgoing.on('error', reject);
    outgoing.end(raw);
  });
}

/** The spec of a job that runs shell lines, with defaults for everything else. */
export function jobSpec(
  lines: readonly string[],
  more: Partial<JobSpecForAgent> = {},
): JobSpecForAgent {
  return {
    id: randomUUID(),
    run_id: randomUUID(),
    run_name: 'test-run',
    job_name: 'test-run-0-0',
    project_name: 'main',
    repo_id: null,
    job_num: 0,
    replica_num: 0,
    jobs_per_replica: 1,
    image_name: 'busybox:test',
    registry_auth: null,
    privileged: false,
    user: null,
    commands: [],
    shell_commands: lines,
    env: {},
    working_dir: null,
    network_mode: 'bridge',
    cpu_limit: null,
    memory_limit_bytes: null,
    shm_size_bytes: null,
    gpus: null,
    mounts: [],
    ports: [],
    repo: null,
    file_archives: [],
    authorized_keys: { user: [], project: [], job: [] },
    job_private_key: null,
    max_duration: null,
    stop_duration: 300,
    stop_duration_set: false,
    notices: null,
    masked_values: [],
    server_access: null,
    host_access: null,
    hold: false,
    cluster: null,
    ...more,
  };
}

export function jobUser(more: Partial<JobUser>): JobUser {
  return { uid: null, gid: null, username: null, groupname: null, ...more };
}
