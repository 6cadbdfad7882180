import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The OpenSSH client with its own keys, for tests. */
export class SshClient {
  readonly dir = mkdtempSync(join(tmpdir(), 'sshc-'));
  readonly #children = new Set<ChildProcess>();
  /** The job's address and port. */
  port = 0;

  constructor() {
    for (const name of ['user', 'project', 'job']) {
      execFileSync('ssh-keygen', ['-q', '-N', '', '-t', 'ed25519', '-f', join(this.dir, name)]);
    }
  }

  /** For `authorized_keys` of a job. */
  get keys(): { user: string[]; project: string[]; job: string[] } {
    const read = (name: string) => [readFileSync(join(this.dir, `${name}.pub`), 'utf8')];
    return { user: read('user'), project: read('project'), job: read('job') };
  }

  /** Options that `ssh`, `scp` and `sftp` share; the host is then called `job`. */
  options(key = 'user', agent = 'none'): string[] {
    return [
      ...['-F', '/dev/null', '-i', join(this.dir, key), '-o', `Port=${this.port}`],
      ...['-o', 'HostName=127.0.0.1', '-o', 'StrictHostKeyChecking=no'],
      ...['-o', 'UserKnownHostsFile=/dev/null', '-o', 'IdentitiesOnly=yes'],
      ...['-o', `IdentityAgent=${agent}`, '-o', 'LogLevel=ERROR'],
    ];
  }

  /** Runs `ssh … root@job` with these arguments to its end. */
  ssh(rest: readonly string[], input: string | Buffer = '', before: readonly string[] = []) {
    return this.run('ssh', [...this.options(), ...before, 'root@job', ...rest], input);
  }

  async run(
    program: string,
    args: readonly string[],
    input: string | Buffer = '',
    env: NodeJS.ProcessEnv = {},
  ): Promise<Finished> {
    const child = this.spawn(program, args, env);
    let [stdout, stderr] = ['', ''];
    child.stdout?.on('data', (data) => {
      stdout += data;
    });
    child.stderr?.on('data', (data) => {
      stderr += data;
    });
    child.stdin?.end(input);
    const [code] = await once(child, 'close');
    return { code, stdout, stderr };
  }

  spawn(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
    const child = spawn(program, args, { stdio: 'pipe', env: { ...process.env, ...env } });
    this.#children.add(child);
    child.stdin?.on('error', () => {});
    child.once('exit', () => this.#children.delete(child));
    return child;
  }

  /** Ends running clients and removes the keys. */
  close(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    rmSync(this.dir, { recursive: true });
  }
}

/** Collects the output of a process and waits for text in it. */
export class Screen {
  readonly child: ChildProcess;
  text = '';
  readonly #waiters = new Set<() => void>();

  constructor(child: ChildProcess) {
    this.child = child;
    const onOutput = (data: string) => {
      this.text += data;
      for (const wake of this.#waiters) wake();
    };
    child.stdout?.setEncoding('utf8').on('data', onOutput);
    child.stderr?.setEncoding('utf8').on('data', onOutput);
    child.once('close', () => {
      for (const wake of this.#waiters) wake();
    });
  }

  /** Rejects if the process ends without it. */
  async until(words: string | RegExp): Promise<void> {
    const found = () =>
      typeof words === 'string' ? this.text.includes(words) : words.test(this.text);
    while (!found()) {
      if (this.child.exitCode !== null) throw new Error(`ended without ${words}: ${this.text}`);
      await new Promise<void>((resolve) => this.#waiters.add(resolve));
    }
  }

  type(text: string): void {
    this.child.stdin?.write(text);
  }
}
