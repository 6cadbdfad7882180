import { Problem, quote } from './problem.ts';

/**
 * What a configuration or a request says about a Git repository ends up in the arguments of git, on
 * a machine that is not its author's. So nothing here may be read as an option, a path of that
 * machine or a helper program (`ext::…`), whichever git reads it.
 */

/** Longest text that any of these may have. */
const MAX_TEXT = 1000;
const MAX_URL = 2048;
const CONTROL = /\p{Cc}/u;

/** A commit: git takes abbreviations from 4 digits on; SHA-256 repositories have 64. */
const COMMIT = /^[0-9a-f]{4,64}$/;

/** What `git check-ref-format` refuses in a name, characters and sequences. */
const NOT_IN_BRANCH = /[\p{Cc} ~^:?*[\\]|\.\.|@\{|\/\/|\/\.|\.lock(?:\/|$)/u;

/** Where a URL is read more generously (upper case, spaces around), git would see a path. */
const URL_START = /^(?:https?|ssh|git):\/\/[^/]/;
/** `[user@]host:path`; a host with colons stands in brackets. */
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

/** Reads where a repository is cloned from: an address of another machine, never a path. */
export function parseGitUrl(text: string): string | Problem {
  if (text.length <= MAX_URL && !CONTROL.test(text) && namesMachine(text)) return text;
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
  // `ext::…` names a helper program, `c:\…` a drive.
  const isHost = host.length > 1 && !isOption(host) && !isOption(user);
  return isHost && !path.startsWith(':') && !isOption(path);
}

function isOption(text: string): boolean {
  return text.startsWith('-');
}

function withoutLogin(text: string): string {
  return text.replace(/\/\/[^@/]*@/, '//***@');
}

/** Reads a name, an address or a path: one line of any text. */
export function parsePlainText(text: string, max: number = MAX_TEXT): string | Problem {
  if (CONTROL.test(text)) return new Problem('must not hold control characters or line ends');
  return text.length <= max
    ? text
    : new Problem(`must have ${max} characters at most, has ${text.length}`);
}

/** Longest path that Linux takes. */
export const MAX_PATH = 4096;
