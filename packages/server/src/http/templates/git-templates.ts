/** Files of a Git repository at its newest commit, without a working copy that stays. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Longest that a repository may take to answer, in ms. */
const TIMEOUT = 30_000;

/** Larger files are no templates. */
const MAX_FILE = 256 * 1024;

/** Transports that reach other machines only; `ext` would run programs, `file` read this one. */
export const REMOTE_PROTOCOLS = 'https:http:ssh:git';

export interface TemplateSource {
  /** Texts of the template files, by name. Throws what Git said. */
  read(url: string): Promise<readonly string[]>;
  /** Throws unless the repository answers. */
  probe(url: string): Promise<void>;
}

/** `protocols`: those that Git may use, in the form of `GIT_ALLOW_PROTOCOL`. */
export function gitTemplates(protocols: string = REMOTE_PROTOCOLS): TemplateSource {
  const git = (...args: string[]) =>
    run('git', args, {
      timeout: TIMEOUT,
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        GIT_ALLOW_PROTOCOL: protocols,
        // Nobody is there to be asked for a password or about a host's key.
        GIT_TERMINAL_PROMPT: '0',
        GIT_SSH_COMMAND: 'ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new',
      },
    });
  return {
    probe: async (url) => {
      await git('ls-remote', '--exit-code', '--', url, 'HEAD');
    },
    async read(url) {
      const dir = await mkdtemp(join(tmpdir(), 'dstack-templates-'));
      try {
        const checkout = join(dir, 'repo');
        await git('clone', '--quiet', '--depth', '1', '--no-tags', '--', url, checkout);
        return await templateFiles(join(checkout, '.dstack', 'templates'));
      } finally {
        await rm(dir, { recursive: true, force: true });
      }
    },
  };
}

/** In the order of their names; links are not followed. */
async function templateFiles(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isFile() && /\.ya?ml$/.test(entry.name))
    .map((entry) => entry.name)
    .sort();
  const texts = await Promise.all(names.map((name) => readFile(join(dir, name), 'utf8')));
  return texts.filter((text) => text.length <= MAX_FILE);
}
