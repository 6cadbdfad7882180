import { chmod, readFile, realpath, rename, stat, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { errorMessage } from '@dstack/contract/error-message';
import { makeFolders } from '../files/make-folders.ts';
import { withFileLock } from './file-lock.ts';
import { type HostBlock, renderBlocks } from './route.ts';
import { configuredPath } from './ssh-value.ts';
import { findHost } from './user-config.ts';

export function sshConfigPath(home: string): string {
  return join(home, '.dstack', 'ssh', 'config');
}

/** Adds blocks to `~/.dstack/ssh/config`; they replace older blocks of the same hosts. */
export async function addHostBlocks(home: string, blocks: readonly HostBlock[]): Promise<void> {
  const hosts = blocks.map((b) => b.host);
  await editConfig(sshConfigPath(home), (text) => withoutHosts(text, hosts) + renderBlocks(blocks));
}

export async function removeHostBlocks(home: string, blocks: readonly HostBlock[]): Promise<void> {
  const hosts = blocks.map((b) => b.host);
  await editConfig(sshConfigPath(home), (text) => withoutHosts(text, hosts));
}

/**
 * Whether the file has the same addresses for the hosts as these blocks; other clients write other
 * options.
 */
export async function hasHostBlocks(home: string, blocks: readonly HostBlock[]): Promise<boolean> {
  const text = await readFile(sshConfigPath(home), 'utf8').catch(() => '');
  return blocks.every(({ host, options }) => {
    const known = findHost(text, host, home);
    return known?.hostName === String(options.HostName) && known.port === String(options.Port);
  });
}

/**
 * Includes our file in the user's own configuration. Returns the reason if that was not possible,
 * else null.
 */
export async function includeInUserConfig(home: string): Promise<string | null> {
  try {
    await editConfig(join(home, '.ssh', 'config'), (text) => withInclude(text, home));
    return null;
  } catch (error) {
    return errorMessage(error);
  }
}

/**
 * The line must come before the first `Host` or `Match`, otherwise it would be part of that block.
 * It has the form of dstack 0.22.5, so that both clients find it. ssh does not take `~` from the
 * environment, though.
 */
export function withInclude(text: string, home: string): string {
  const path = sshConfigPath(home);
  const short = homeOfUser() === home ? '~/.dstack/ssh/config' : path;
  const isOurs = (line: string): boolean => {
    const [, value] = /^\s*Include[\s=]+"?(.+?)"?\s*$/i.exec(line) ?? [];
    return value === path || value === '~/.dstack/ssh/config';
  };
  const lines = text.split(/(?<=\n)/);
  const firstHost = lines.findIndex((line) => /^\s*(Host|Match)[\s=]/i.test(line));
  const at = lines.findIndex(isOurs);
  if (at >= 0 && (firstHost < 0 || at < firstHost)) return text;
  const rest = lines.filter((line) => !isOurs(line)).join('');
  return `Include ${configuredPath(short)}\n\n${rest}`;
}

/** A block ends where the next `Host` or `Match` begins. */
export function withoutHosts(text: string, hosts: readonly string[]): string {
  const kept: string[] = [];
  let dropping = false;
  for (const line of text.split(/(?<=\n)/)) {
    const head = /^\s*(Host|Match)\s+(.*?)\s*$/i.exec(line);
    if (head !== null)
      dropping = head[1]?.toLowerCase() === 'host' && hosts.includes(head[2] ?? '');
    if (!dropping) kept.push(line);
  }
  return kept.join('');
}

async function editConfig(path: string, edit: (text: string) => string): Promise<void> {
  await makeFolders(dirname(path));
  await withFileLock(`${path}.lock`, async () => {
    const before = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw error;
    });
    const after = edit(before);
    if (after === before) return;
    // Users may keep their dot files elsewhere and link to them: the link must stay.
    const target = await realpath(path).catch(() => path);
    const mode = await stat(target).then(
      (info) => info.mode & 0o777,
      () => 0o600,
    );
    const temporary = `${target}.${process.pid}.tmp`;
    await writeFile(temporary, after, { mode });
    await chmod(temporary, mode);
    await rename(temporary, target);
  });
}

/** Null for a user id without a name, as in containers. */
function homeOfUser(): string | null {
  try {
    return userInfo().homedir;
  } catch {
    return null;
  }
}
