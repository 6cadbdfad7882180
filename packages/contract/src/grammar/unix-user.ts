import { Problem, quote } from './problem.ts';
import { isSshUserName, SSH_USER_RULE } from './ssh.ts';

/** A user of a container; a number is an id, other text a name. */
export interface ParsedUnixUser {
  readonly uid: number | null;
  readonly gid: number | null;
  readonly username: string | null;
  readonly groupname: string | null;
}

/** Reads `user[:group]`, each a name or an id: `ubuntu`, `1000:1000`. */
export function parseUnixUser(text: string): ParsedUnixUser | Problem {
  const parts = text.split(':');
  if (parts.length > 2 || parts.includes('')) {
    return new Problem(`must be 'user' or 'user:group', names or ids, got ${quote(text)}`);
  }
  const ids = parts.map((part) => (/^\s*[+-]?\d+\s*$/.test(part) ? Number(part) : null));
  if (ids.some((id) => id !== null && id < 0)) {
    return new Problem(`must not have a negative id, got ${quote(text)}`);
  }
  // Clients log in with this name.
  if (parts.some((part, index) => ids[index] === null && !isSshUserName(part))) {
    return new Problem(`must be made of names (${SSH_USER_RULE}) or ids, got ${quote(text)}`);
  }
  const [user = '', group = null] = parts;
  const [uid = null, gid = null] = ids;
  return {
    uid,
    gid,
    username: uid === null ? user : null,
    groupname: gid === null ? group : null,
  };
}

/** Reads a shell: `sh`, `bash`, or an absolute path. Gives the path of the shell. */
export function parseShell(text: string): string | Problem {
  if (text === 'sh' || text === 'bash') return `/bin/${text}`;
  if (text.startsWith('/')) return text;
  return new Problem(`must be sh, bash or an absolute path like /usr/bin/zsh, got ${quote(text)}`);
}
