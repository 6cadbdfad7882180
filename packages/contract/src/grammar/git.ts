import { hasControl, MAX_TEXT } from './line-text.ts';
import { Problem, quote } from './problem.ts';

export { Problem };

/**
 * Values for the command line of git on a computer that does not belong to their author. No version
 * of git may read one of them as an option, a local path or a helper program (`ext::…`).
 */

const MAX_URL = 2048;

/** A commit: git takes abbreviations from 4 digits on; SHA-256 repositories have 64. */
const COMMIT = /^[0-9a-f]{4,64}$/;

/** Characters and sequences that `git check-ref-format` refuses in a name. */
const NOT_IN_BRANCH = /[\p{Cc} ~^:?*[\\]|\.\.|@\{|\/\/|\/\.|\.lock(?:\/|$)/u;

/** Stricter than URL parsers, which accept upper case and surrounding spaces: git reads those as paths. */
const URL_START = /^(?:https?|ssh|git):\/\/[^/]/;
/** `[user@]host:path`; a host with colons is in brackets. */
const SCP = /^(?:([^@/:\s]+)@)?(\[[0-9A-Fa-f:.%]+\]|[^@/:\s[\]]+):(?!\/\/)(.+)$/;

/** Reads a commit hash, whole or abbreviated; lower case in the result. */
export function parseCommitHash(text: string): string | Problem {
  const hash = text.toLowerCase();
  if (COMMIT.test(hash)) return hash;
  return new Problem(
    `must be a commit hash (4 to 64 hexadecimal digits), got ${quote(text)}; for a branch use 'branch'`,
  );
}

/** Reads the name of a branch. */
export function parseBranch(text: string): string | Problem {
  const isName =
    text !== '' &&
    text.length <= MAX_TEXT &&
    text !== '@' &&
    !/^[-./]|[./]$/.test(text) &&
    !NOT_IN_BRANCH.test(text);
  return isName ? text : new Problem(`must be the name of a Git branch, got ${quote(text)}`);
}

/** Reads the URL of a repository: an address of another computer, never a path. */
export function parseGitUrl(text: string): string | Problem {
  if (text.length <= MAX_URL && !hasControl(text) && namesMachine(text)) return text;
  return new Problem(
    `must be a URL of a Git repository like 'https://host/owner/repo.git', 'ssh://git@host/owner/repo.git' or 'git@host:owner/repo.git', got ${quote(withoutLogin(text))}`,
  );
}

function namesMachine(text: string): boolean {
  if (text.includes('://')) {
    if (!URL_START.test(text) || !URL.canParse(text)) return false;
    const { hostname, username } = new URL(text);
    return hostname !== '' && !isOption(hostname) && !isOption(username);
  }
  const [, user = '', host = '', path = ''] = SCP.exec(text) ?? [];
  // `ext::…` is a helper program, `c:\…` a drive.
  const isHost = host.length > 1 && !isOption(host) && !isOption(user);
  return isHost && !path.startsWith(':') && !isOption(path);
}

function isOption(text: string): boolean {
  return text.startsWith('-');
}

function withoutLogin(text: string): string {
  return text.replace(/\/\/[^@/]*@/, '//***@');
}
