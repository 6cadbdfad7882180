import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { CommandOptions, FinishedCommand } from '@dstack/testkit';
import { type PythonEnvironment, pythonEnvironment } from '@dstack/testkit/python-environment';

/** A virtual environment with that version of the client, or the reason why there is none. */
export function officialClient(version: string): PythonEnvironment {
  return pythonEnvironment(`dstack==${version}`, join('official-client', version));
}

/** A running command of the client, for those that ask questions and wait for Ctrl-C. */
export class Session {
  readonly process: ChildProcess;
  readonly ended: Promise<FinishedCommand>;
  readonly #command: string;
  #stdout = '';
  #stderr = '';
  #onOutput = () => {};

  constructor(process: ChildProcess, command: string) {
    this.process = process;
    process.stdout?.on('data', (chunk) => {
      this.#stdout += chunk;
      this.#onOutput();
    });
    process.stderr?.on('data', (chunk) => {
      this.#stderr += chunk;
    });
    this.ended = once(process, 'close').then(([code]) => {
      this.#onOutput();
      return { code, stdout: this.#stdout, stderr: this.#stderr };
    });
    this.#command = command;
  }

  /** Its output so far. */
  get stdout(): string {
    return this.#stdout;
  }

  /** Resolves when that text has been printed; rejects if the command ends without it. */
  async until(text: string): Promise<void> {
    while (!this.#stdout.includes(text)) {
      if (this.process.exitCode !== null || this.process.signalCode !== null) {
        const { code, stdout, stderr } = await this.ended;
        if (stdout.includes(text)) return;
        throw new Error(
          `dstack ${this.#command} ended with ${code} without “${text}”\n${stdout}\n${stderr}`,
        );
      }
      await new Promise<void>((resolve) => {
        this.#onOutput = resolve;
      });
    }
  }

  answer(text: string): void {
    this.process.stdin?.write(`${text}\n`);
  }

  interrupt(): void {
    this.process.kill('SIGINT');
  }
}

/**
 * To attach, the client looks for free ports from 10999 on, releases them, and lets `ssh` listen on
 * them: two clients that do so at the same time on one computer may receive each other's output. So
 * commands that attach wait for those of other suites; only the command itself holds the lock.
 */
const ALONE = ['flock', '--no-fork', join(tmpdir(), 'dstack-official-client.lock')];

/** The program that imports the client once for all commands of a user. */
const FORKING = join(import.meta.dirname, 'forking.py');

function mayAttach(program: string, args: readonly string[]): boolean {
  if (program !== 'dstack' || args[0] === 'attach') return true;
  return args[0] === 'apply' && !args.includes('-d');
}

/** A user with the official client and a private home. */
export class OfficialClient {
  readonly home: string;
  readonly #path: string;
  readonly #env: NodeJS.ProcessEnv;
  #forking = false;
  /** Commands of this process that hold the lock. */
  static #attached = 0;

  constructor(path: string, home: string) {
    this.#path = path;
    this.home = home;
    this.#env = {
      PATH: process.env.PATH,
      HOME: home,
      LANG: 'C.UTF-8',
      // Tables are cut to the width of the terminal.
      COLUMNS: '250',
      PYTHONUNBUFFERED: '1',
    };
    // The client requests news from its vendor once a day unless this file is fresh.
    for (const channel of ['cli', 'stgn-cli'])
      this.write(join('.cache', '.dstack', channel, 'last_check'), '');
  }

  /** Writes a file of the user's and returns its name. */
  write(name: string, text: string): string {
    const path = join(this.home, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return name;
  }

  start(args: readonly string[], options: CommandOptions = {}): Session {
    return this.#spawn('dstack', args, options);
  }

  /** Runs a command to its end. */
  async run(args: readonly string[], options: CommandOptions = {}): Promise<FinishedCommand> {
    const session = this.start(args, options);
    session.process.stdin?.end(options.input ?? '');
    return session.ended;
  }

  /** Like `run`, but rejects unless it exits with 0; returns its output. */
  async ok(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(args);
    if (code === 0) return stdout;
    throw new Error(`dstack ${args.join(' ')} ended with ${code}\n${stdout}\n${stderr}`);
  }

  /** Runs a Python program and returns the JSON value that it prints. */
  async python<T>(file: string, ...args: string[]): Promise<T> {
    const session = this.#spawn('python', [file, ...args], {});
    session.process.stdin?.end();
    const { code, stdout, stderr } = await session.ended;
    if (code !== 0) throw new Error(`${file} ${args.join(' ')} ended with ${code}\n${stderr}`);
    return JSON.parse(stdout) as T;
  }

  /**
   * The words that start a program. `dstack` is forked from a process that has imported it already, except
   * with variables of its own, since the import may read them.
   */
  #program(program: string, options: CommandOptions): readonly string[] {
    const path = join(this.#path, 'bin', program);
    if (program !== 'dstack' || options.env) return [path];
    const python = join(this.#path, 'bin', 'python');
    const socket = join(this.home, 'fork.sock');
    if (!this.#forking) {
      this.#forking = true;
      // It is ended with the installation, as its home is inside that.
      spawn(python, [FORKING, 'serve', socket], {
        ...{ cwd: this.home, env: this.#env },
        stdio: ['ignore', 'ignore', 'inherit'],
      }).unref();
    }
    return [python, '-I', '-S', FORKING, 'run', socket];
  }

  #spawn(program: string, args: readonly string[], options: CommandOptions): Session {
    const alone = mayAttach(program, args) && OfficialClient.#attached === 0;
    const words = [...this.#program(program, options), ...args];
    const [file = '', ...rest] = alone ? [...ALONE, ...words] : words;
    const child = spawn(file, rest, {
      cwd: options.cwd ?? this.home,
      env: { ...this.#env, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    // It may end without having read its input.
    child.stdin.on('error', () => {});
    if (alone) {
      OfficialClient.#attached += 1;
      child.once('close', () => {
        OfficialClient.#attached -= 1;
      });
    }
    return new Session(child, args.join(' '));
  }
}
