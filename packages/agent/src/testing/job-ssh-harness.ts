import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { WebSocket } from 'ws';
import { dialTcp } from '../network/dial.ts';
import { FileSpoolReader } from '../spool/file-spool-reader.ts';
import { SpoolWriter } from '../spool/spool-writer.ts';
import { generateHostKey } from '../ssh/host-key.ts';
import { type JobSsh, type JobSshOptions, startJobSsh } from '../ssh/job-ssh-server.ts';
import type { Finished } from './ssh-client.ts';

/** The default time of a job's output, in microseconds since the epoch. */
export const T0 = 1_700_000_000_000_000;

/** Keys of every type that clients use; the job does not accept the stranger's. */
const KEYS = { user: 'rsa', project: 'ed25519', job: 'ecdsa', stranger: 'ed25519' };

/** Gives every test of a file its own SSH server of a job, which ends with the test. */
export function eachWithJobSsh(): JobSshHarness {
  const harness = new JobSshHarness();
  beforeAll(() => harness.makeKeys());
  afterAll(() => harness.removeKeys());
  beforeEach(() => harness.begin());
  afterEach(() => harness.end());
  return harness;
}

/** The SSH server of a job without the job, and OpenSSH clients of it. */
export class JobSshHarness {
  readonly hostKeyPem = generateHostKey();
  /** Where the clients' keys lie. */
  readonly keys = mkdtempSync(join(tmpdir(), 'keys-'));
  /** The folder of one test. */
  dir = '';
  readonly #servers: Server[] = [];
  readonly #children = new Set<ChildProcess>();
  #ssh: JobSsh | null = null;
  #spool: SpoolWriter | null = null;
  #logs: FileSpoolReader | null = null;

  async makeKeys(): Promise<void> {
    for (const [name, type] of Object.entries(KEYS)) {
      const size = type === 'rsa' ? ['-b', '2048'] : [];
      const args = ['-q', '-N', '', '-t', type, ...size, '-f', join(this.keys, name)];
      await this.run('ssh-keygen', args);
    }
  }

  removeKeys(): void {
    rmSync(this.keys, { recursive: true });
  }

  async begin(): Promise<void> {
    this.dir = mkdtempSync(join(tmpdir(), 'jobssh-'));
    const dir = join(this.dir, 'spool');
    const onGrow = (end: number) => this.#logs?.grew(end);
    this.#spool = new SpoolWriter({ dir, maskedValues: [], onGrow });
    this.#logs = new FileSpoolReader(dir);
    this.#ssh = await this.another();
  }

  async end(): Promise<void> {
    await this.detach();
    for (const child of this.#children) child.kill('SIGKILL');
    await this.ssh.close();
    for (const server of this.#servers.splice(0)) server.close();
    rmSync(this.dir, { recursive: true });
  }

  get ssh(): JobSsh {
    if (!this.#ssh) throw new Error('the server runs during tests only');
    return this.#ssh;
  }

  /** Another server of the same job; the caller closes it. */
  another(options: Partial<JobSshOptions> = {}): Promise<JobSsh> {
    if (!this.#logs) throw new Error('the server runs during tests only');
    return startJobSsh({
      preferredPort: null,
      authorizedKeys: {
        user: [this.publicKey('user')],
        project: [this.publicKey('project')],
        job: [this.publicKey('job')],
      },
      hostKeyPem: this.hostKeyPem,
      dial: dialTcp,
      logs: this.#logs,
      ...options,
    });
  }

  async restart(options: Partial<JobSshOptions>): Promise<void> {
    await this.ssh.close();
    this.#ssh = await this.another(options);
  }

  publicKey(name: string): string {
    return readFileSync(join(this.keys, `${name}.pub`), 'utf8');
  }

  sshArgs(key: string, ...more: string[]): string[] {
    return [
      ...['-F', '/dev/null', '-p', String(this.ssh.port), '-i', join(this.keys, key)],
      ...['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null'],
      ...['-o', 'IdentitiesOnly=yes', '-o', 'IdentityAgent=none', '-o', 'LogLevel=ERROR'],
      ...more,
    ];
  }

  async run(command: string, args: readonly string[], input = ''): Promise<Finished> {
    const child = spawn(command, args, { stdio: 'pipe' });
    this.#children.add(child);
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (data) => {
      stdout += data;
    });
    child.stderr.on('data', (data) => {
      stderr += data;
    });
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    const [code] = await once(child, 'exit');
    this.#children.delete(child);
    return { code, stdout, stderr };
  }

  /** The control socket of an attached client. */
  get control(): string {
    return join(this.dir, 'control.sock');
  }

  /** The command by which the official client attaches, forwarding these ports. */
  async attach(key: string, remotes: readonly string[]): Promise<number[]> {
    const locals: number[] = [];
    for (const _ of remotes) locals.push(await this.freePort());
    const forwards = remotes.flatMap((remote, i) => ['-L', `localhost:${locals[i]}:${remote}`]);
    const args = this.sshArgs(
      key,
      ...['-E', join(this.dir, 'ssh.log'), '-N', '-f', '-o', 'ControlMaster=auto'],
      ...['-S', this.control, '-o', 'ExitOnForwardFailure=yes', ...forwards, 'root@127.0.0.1'],
    );
    const { code } = await this.run('ssh', args);
    if (code !== 0) throw new Error(readFileSync(join(this.dir, 'ssh.log'), 'utf8'));
    return locals;
  }

  async detach(): Promise<void> {
    await this.run('ssh', ['-F', '/dev/null', '-S', this.control, '-O', 'exit', 'root@127.0.0.1']);
  }

  /** Its port, once it listens; it ends with the test. */
  async listen(server: Server): Promise<number> {
    this.#servers.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  async freePort(): Promise<number> {
    const server = createTcpServer();
    const port = await this.listen(server);
    server.close();
    await once(server, 'close');
    return port;
  }

  /** Adds output of the job. */
  print(text: string, time = T0): void {
    this.#spool?.append(Buffer.from(text), time);
  }

  /** Ends the output. */
  finish(): void {
    this.#spool?.close(T0);
    this.#logs?.finish();
  }
}

export interface ReceivedOutput {
  readonly text: string;
  readonly code: number;
}

/** Reads a job's output as the official client does; `port` leads to the job's 10999. */
export function readOutput(
  port: number | undefined,
  query = '',
): { socket: WebSocket; done: Promise<ReceivedOutput> } {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/logs_ws${query}`);
  const parts: Buffer[] = [];
  socket.on('message', (data: Buffer, binary) => {
    if (binary) parts.push(data);
  });
  const done = new Promise<ReceivedOutput>((resolve, reject) => {
    socket.on('error', reject);
    socket.on('close', (code) => resolve({ text: Buffer.concat(parts).toString(), code }));
  });
  return { socket, done };
}
