/** Files of a Git repository at its newest commit, without a working copy. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { GuardedProxy } from '../../outgoing/guarded-proxy.ts';
import { OutgoingRefused } from '../../outgoing/outgoing-error.ts';
import type { OutgoingRules } from '../../outgoing/outgoing-rules.ts';

const run = promisify(execFile);

/** Time limit for an answer of a repository, in ms. */
const TIMEOUT = 30_000;

/** Maximum size of a template in bytes, and maximum number of templates. */
const MAX_FILE = 256 * 1024;
const MAX_FILES = 200;

/** Maximum number of bytes that a repository may send. */
const MAX_BYTES = 64 * 1024 * 1024;

const FOLDER = '.dstack/templates/';

/** Transports whose connections `GuardedProxy` checks. */
const GUARDED_PROTOCOLS = 'https:http';

/** For the operator's own repository: `ext` would run programs, `file` would read local files. */
const OWN_PROTOCOLS = 'https:http:ssh:git';

export interface TemplateSource {
  /** Texts of the template files, by name. Throws `OutgoingRefused` or `GitFailed`. */
  read(url: string): Promise<readonly string[]>;
  /** Throws unless the repository answers. */
  probe(url: string): Promise<void>;
}

export interface GitTemplatesOptions {
  readonly rules: OutgoingRules;
  /** The operator's repository, read with the operator's own credentials and configuration. */
  readonly own: string | null;
  /** The protocols of tests' repositories, in the form of `GIT_ALLOW_PROTOCOL`. */
  readonly protocols?: string;
}

type Git = (...args: string[]) => Promise<string>;

export function gitTemplates(options: GitTemplatesOptions): TemplateSource {
  return {
    probe: (url) =>
      withGit(options, url, async (git) => {
        await git('ls-remote', '--exit-code', '--end-of-options', url, 'HEAD');
      }),
    read: (url) =>
      withGit(options, url, async (git, dir) => {
        const repo = join(dir, 'repo');
        const shallow = ['--bare', '--depth=1', '--single-branch', '--no-tags'];
        await git('clone', '--quiet', ...shallow, '--end-of-options', url, repo);
        return await templateFiles((...args) => git(`--git-dir=${repo}`, ...args));
      }),
  };
}

/** Runs git in a temporary folder, with a private home and through `GuardedProxy`. */
async function withGit<T>(
  { rules, own, protocols = GUARDED_PROTOCOLS }: GitTemplatesOptions,
  url: string,
  work: (git: Git, dir: string) => Promise<T>,
): Promise<T> {
  const isOwn = url === own;
  if (!isOwn) checkUrl(url, protocols);
  const dir = await mkdtemp(join(tmpdir(), 'dstack-templates-'));
  const proxy = isOwn ? null : await GuardedProxy.open(rules, MAX_BYTES);
  const env = isOwn
    ? { HOME: process.env.HOME, GIT_ALLOW_PROTOCOL: OWN_PROTOCOLS }
    : { ...strangers(join(dir, 'home')), ...through(proxy), GIT_ALLOW_PROTOCOL: protocols };
  try {
    await mkdir(join(dir, 'home'), { mode: 0o700 });
    return await work(gitRunner(dir, env), dir);
  } catch (error) {
    throw proxy?.refusal ?? error;
  } finally {
    await proxy?.close();
    await rm(dir, { recursive: true, force: true });
  }
}

function checkUrl(url: string, protocols: string): void {
  const protocol = URL.canParse(url) ? new URL(url).protocol : url.split(/[:/]/, 1)[0];
  if (protocols.split(':').includes(protocol?.replace(/:$/, '') ?? '')) return;
  throw new OutgoingRefused({ rule: 'protocol', protocol: protocol ?? url });
}

/** Without the credentials and the configuration of the server's user. */
function strangers(home: string): NodeJS.ProcessEnv {
  const names = Object.keys(process.env).filter((name) =>
    /^(GIT_SSL_CA(INFO|PATH)|SSL_CERT_(FILE|DIR))$/.test(name),
  );
  return {
    ...Object.fromEntries(names.map((name) => [name, process.env[name]])),
    HOME: home,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
  };
}

function through(proxy: GuardedProxy | null): NodeJS.ProcessEnv {
  return proxy ? { http_proxy: proxy.url, https_proxy: proxy.url, no_proxy: '' } : {};
}

function gitRunner(cwd: string, env: NodeJS.ProcessEnv): Git {
  const common: NodeJS.ProcessEnv = {
    PATH: process.env.PATH,
    LC_ALL: 'C',
    // Git must fail instead of prompting for a password or a host key.
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '/bin/false',
    GIT_SSH_COMMAND: 'ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new',
    ...env,
  };
  const signal = AbortSignal.timeout(TIMEOUT);
  // Large objects are streamed, so that packed ones do not fill the memory.
  const words = ['-c', 'core.bigFileThreshold=1m', '-c', 'core.hooksPath=/dev/null'];
  return async (...args) => {
    const options = { cwd, env: common, signal, maxBuffer: MAX_FILES * MAX_FILE };
    const { stdout } = await run('git', [...words, ...args], options).catch((error: unknown) => {
      throw new GitFailed(args[0] ?? '', error);
    });
    return stdout;
  };
}

/** Characters of Git's message that are kept. */
const MAX_MESSAGE = 500;

/**
 * Replaces the error of the process, which contains the whole command line: URLs of repositories
 * may contain passwords, and errors are logged.
 */
export class GitFailed extends Error {
  override name = 'GitFailed';

  constructor(command: string, error: unknown) {
    const { stderr, code } = error as { readonly stderr?: unknown; readonly code?: unknown };
    const text = typeof stderr === 'string' ? stderr.trim().slice(0, MAX_MESSAGE) : '';
    const why = text.replaceAll(/\/\/[^\s/@]*@/g, '//') || String(code ?? 'it was stopped');
    super(`git ${command} has failed: ${why}`);
  }
}

/** In the order of their names; only plain files up to the size limit. */
async function templateFiles(git: Git): Promise<string[]> {
  const listed = await git('ls-tree', '-z', '-l', 'HEAD', FOLDER);
  const blobs = listed.split('\0').flatMap((line) => {
    const [, hash = '', size = '', path = ''] =
      /^100(?:644|755) blob ([0-9a-f]+) +(\d+)\t(.*)$/s.exec(line) ?? [];
    return /\.ya?ml$/.test(path) && Number(size) <= MAX_FILE ? [{ hash, path }] : [];
  });
  const wanted = blobs.sort((a, b) => (a.path < b.path ? -1 : 1)).slice(0, MAX_FILES);
  const texts: string[] = [];
  for (const { hash } of wanted) texts.push(await git('cat-file', 'blob', hash));
  return texts;
}
