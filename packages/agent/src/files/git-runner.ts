/** Runs the host's git for a clone, without the configuration and the credentials of the host. */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { lchownSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { RepoForAgent } from '@dstack/contract/agent';
import type { CloneGuard } from './clone-guard.ts';
import type { CloneUser } from './clone-place.ts';

/** Transports that reach other machines: `file` would read this one, `ext` run programs on it. */
const PROTOCOLS = 'https:http:ssh:git';
/** `git` has no proxy. */
const GUARDED_PROTOCOLS = 'https:http:ssh';

export interface GitRunnerOptions {
  readonly repo: RepoForAgent;
  readonly dir: string;
  /** Exists, and belongs to the user. */
  readonly home: string;
  readonly signal: AbortSignal;
  readonly guard: CloneGuard | null;
  readonly user: CloneUser | null;
}

/** A descriptor, or text, for the standard input of a program. */
export type Input = number | string;

/** A program ended with an error. */
export class ProgramFailed extends Error {
  override name = 'ProgramFailed';
  /** Null: a signal ended it. */
  readonly code: number | null;

  constructor(message: string, code: number | null) {
    super(message);
    this.code = code;
  }
}

/** The programs of one clone, all with the same user and environment. */
export class GitRunner {
  readonly #options: GitRunnerOptions;
  /** The variables of git, and of other programs that connect to the same hosts. */
  readonly env: NodeJS.ProcessEnv;

  private constructor(options: GitRunnerOptions, env: NodeJS.ProcessEnv) {
    this.#options = options;
    this.env = env;
  }

  static async open(options: GitRunnerOptions): Promise<GitRunner> {
    return new GitRunner(options, gitEnvironment(options, await sshCommand(options)));
  }

  /** The output of a command of git. Throws an error with git's reason. */
  async git(cwd: string, args: readonly string[], input?: Input): Promise<string> {
    return String(await this.gitBytes(cwd, args, input));
  }

  async gitBytes(cwd: string, args: readonly string[], input?: Input): Promise<Buffer> {
    try {
      return await this.#connecting(cwd, OPENLY, ['git', ...args], input);
    } catch (error) {
      const isMissing = error instanceof ProgramFailed && error.code === NOT_FOUND;
      throw isMissing ? new Error('git is not installed on the host') : error;
    }
  }

  /** Runs OpenSSH as git does. Throws `ProgramFailed` with the code of the command on the other side. */
  async ssh(args: readonly string[]): Promise<string> {
    const script = ['-c', 'eval "$GIT_SSH_COMMAND \\"\\$@\\""', 'sh'];
    return String(await this.#connecting(this.#options.home, script, args));
  }

  /** Writes a file with the rights of git's user; an existing one keeps its permissions. */
  async write(cwd: string, path: string, content: Readable): Promise<void> {
    await this.#run(cwd, [...WRITE, path], (child) => {
      content.on('error', () => child.kill('SIGKILL'));
      child.stdin?.on('error', () => content.destroy());
      if (child.stdin) content.pipe(child.stdin);
    });
  }

  /** Repeats a command for which the guard had to resolve hosts first. */
  async #connecting(
    cwd: string,
    script: readonly string[],
    args: readonly string[],
    input?: Input,
  ): Promise<Buffer> {
    const { signal, guard } = this.#options;
    for (;;) {
      try {
        return await this.#run(cwd, [...script, ...args], input);
      } catch (error) {
        if (signal.aborted || input !== undefined || !(await guard?.resolveAsked())) throw error;
      }
    }
  }

  async #run(
    cwd: string,
    args: readonly string[],
    input?: Input | ((child: ChildProcess) => void),
  ): Promise<Buffer> {
    const { signal, user } = this.#options;
    signal.throwIfAborted();
    const stdin = input === undefined ? 'ignore' : typeof input === 'number' ? input : 'pipe';
    const stdio: StdioOptions = [stdin, 'pipe', 'pipe'];
    // A group of its own, since git starts further programs.
    const child = spawn('/bin/sh', args, { cwd, env: this.env, stdio, detached: true, ...user });
    const end = () => killGroup(child);
    signal.addEventListener('abort', end);
    try {
      if (typeof input === 'function') input(child);
      else if (typeof input === 'string') child.stdin?.on('error', () => {}).end(input);
      return await outputOf(child);
    } finally {
      signal.removeEventListener('abort', end);
    }
  }
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}

function gitEnvironment(options: GitRunnerOptions, ssh: string): NodeJS.ProcessEnv {
  const { repo, dir, home, guard } = options;
  const config: [string, string][] = [
    ['core.hooksPath', '/dev/null'],
    ['core.fsmonitor', 'false'],
    ['core.autocrlf', 'false'],
    // Their processes would outlive the clone.
    ['gc.auto', '0'],
    ['maintenance.auto', 'false'],
    ['safe.directory', dir],
  ];
  const login = tokenLogin(repo);
  // Only for this host and port: submodules and redirects must not send the token elsewhere.
  if (login) config.push([`http.${login.origin}/.extraHeader`, `Authorization: ${login.header}`]);
  const env: NodeJS.ProcessEnv = {
    PATH: process.env.PATH,
    HOME: home,
    LC_ALL: 'C',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ALLOW_PROTOCOL: guard ? GUARDED_PROTOCOLS : PROTOCOLS,
    GIT_ATTR_NOSYSTEM: '1',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_COUNT: String(config.length),
    ...(guard
      ? guard.environment(networkEnvironment(), ssh)
      : { ...networkEnvironment(), GIT_SSH_COMMAND: `${ssh} -F none` }),
  };
  config.forEach(([name, value], index) => {
    env[`GIT_CONFIG_KEY_${index}`] = name;
    env[`GIT_CONFIG_VALUE_${index}`] = value;
  });
  return env;
}

/** The token of a repo as a value of `Authorization`, and the only origin that may receive it. */
export function tokenLogin({
  oauth_token: token,
  clone_url: url,
}: RepoForAgent): { readonly origin: string; readonly header: string } | null {
  if (!token || !url?.startsWith('http')) return null;
  const login = Buffer.from(`anything:${token}`).toString('base64');
  return { origin: new URL(url).origin, header: `Basic ${login}` };
}

/** OpenSSH finds the keys of its user without HOME, so they are disabled explicitly. */
async function sshCommand({ repo, home, user }: GitRunnerOptions): Promise<string> {
  const options = [
    ...['BatchMode=yes', 'StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null'],
    ...['PreferredAuthentications=publickey', 'IdentityAgent=none', 'IdentitiesOnly=yes'],
  ];
  const ssh = `ssh ${options.map((option) => `-o ${option}`).join(' ')}`;
  if (!repo.private_key) return `${ssh} -o IdentityFile=none`;
  const key = join(home, 'key');
  await writeFile(key, `${repo.private_key.trimEnd()}\n`, { mode: 0o600, flag: 'wx' });
  if (user) lchownSync(key, user.uid, user.gid);
  // Git splits this by shell rules; the path of HOME may hold spaces.
  return `${ssh} -i "$HOME/key"`;
}

/** Variables for connections to other machines: proxies and additional certificate authorities. */
export function networkEnvironment(): NodeJS.ProcessEnv {
  const wanted = /^(.*_proxy|GIT_SSL_CA(INFO|PATH)|SSL_CERT_(FILE|DIR))$/i;
  const names = Object.keys(process.env).filter((name) => wanted.test(name));
  return Object.fromEntries(names.map((name) => [name, process.env[name]]));
}

/** Bytes of an output; only lists of files come near it. */
const MAX_OUTPUT = 64 * 1024 * 1024;
/** Bytes of messages that are kept. */
const MAX_MESSAGES = 1024 * 1024;

/** All users of the job must be able to read the files, independently of the agent's umask. */
const OPENLY = ['-c', 'umask 022; exec "$@"', 'sh'];
const WRITE = ['-c', 'umask 022; exec cat > "$1"', 'sh'];
const NOT_FOUND = 127;

async function outputOf(child: ChildProcess): Promise<Buffer> {
  const [output, errors, code] = await Promise.all([
    firstOf(child.stdout, MAX_OUTPUT),
    firstOf(child.stderr, MAX_MESSAGES),
    new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    }),
  ]);
  if (code !== 0) {
    const why = gitErrorMessage(String(errors.bytes)) || `git ended with ${code}`;
    throw new ProgramFailed(why, code);
  }
  if (output.isWhole) return output.bytes;
  throw new Error(`a list of git is longer than ${MAX_OUTPUT} bytes`);
}

async function firstOf(stream: Readable | null, limit: number) {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of stream ?? []) {
    size += piece.length;
    if (size <= limit) pieces.push(piece);
  }
  return { bytes: Buffer.concat(pieces), isWhole: size <= limit };
}

/** OpenSSH gives its reason in the line before. */
const isCause = (next = ''): boolean => next.startsWith('fatal: Could not read from remote');

/** Only the reason: git adds progress and advice, and the remote host can add text. */
function gitErrorMessage(stderr: string): string {
  const lines = stderr
    .split('\n')
    .filter((line) => !/^(\s*|Warning: Permanently added .*)$/.test(line));
  const reasons = lines.filter(
    (line, index) => /^(fatal|error|remote):/.test(line) || isCause(lines[index + 1]),
  );
  const message = (reasons.length > 0 ? reasons : lines).slice(0, 3).join(' ');
  return message.replaceAll(/\p{Cc}+/gu, ' ').slice(0, 1000);
}
