import { createHash } from 'node:crypto';

/** The place of a Git repository, as parsed from its URL. */
export interface RepoUrl {
  readonly protocol: 'https' | 'ssh' | 'http';
  readonly user: string | null;
  readonly host: string;
  readonly port: string | null;
  /** Without a leading slash and without `.git` at the end. */
  readonly path: string;
  /** The given path without a leading slash: not every Git server accepts both names of a repository. */
  readonly fullPath: string;
}

/** Parses `https://…`, `ssh://…` and `user@host:path`; null for anything else. */
export function parseRepoUrl(text: string): RepoUrl | null {
  const scp = /^(?:([^@/\s]+)@)?([^:/\s]+):(?!\/\/)(.+)$/.exec(text);
  // `C:\\code` is a drive, not a host.
  const isDrive = scp !== null && scp[1] === undefined && scp[2]?.length === 1;
  if (scp !== null && !isDrive && !text.includes('://')) {
    const [, user = null, host = '', path = ''] = scp;
    return { protocol: 'ssh', user, host, port: null, ...paths(path) };
  }
  if (!/^(https?|ssh):\/\//.test(text) || !URL.canParse(text)) return null;
  const url = new URL(text);
  const protocol = url.protocol.slice(0, -1) as RepoUrl['protocol'];
  return {
    protocol,
    user: url.username || null,
    host: url.hostname,
    port: url.port || null,
    ...paths(url.pathname),
  };
}

function paths(given: string): Pick<RepoUrl, 'path' | 'fullPath'> {
  const fullPath = given.replace(/^\/+/, '').replace(/\/+$/, '');
  return { fullPath, path: fullPath.replace(/\.git$/, '') };
}

/** The last segment of the path. */
export function repoName(repo: RepoUrl): string {
  return repo.path.split('/').at(-1) ?? repo.path;
}

/**
 * The id under which all clients find the repository: its name and eight characters of a hash of
 * host and path (lower case). The digest is read as a little-endian number; of its 32 lowest
 * base-36 digits the eight most significant are kept, as dstack 0.22.5 does.
 *
 * @param host the name behind an alias of `~/.ssh/config`, where the URL has one
 */
export function repoId(repo: RepoUrl, host: string = repo.host): string {
  const key = `${host}/${repo.path}`.toLowerCase();
  const digest = createHash('sha256').update(key).digest();
  let n = BigInt(`0x${Buffer.from(digest).reverse().toString('hex')}`);
  const digits: string[] = [];
  for (let i = 0; i < 32; i += 1) {
    digits.push((n % 36n).toString(36));
    n /= 36n;
  }
  const tail = digits.reverse().join('').slice(0, 8);
  return `${repoName(repo)}-${tail}`;
}

/** The URL to clone from over https, or over http if that is its scheme (a default port is dropped). */
export function httpUrl(repo: RepoUrl): string {
  const isSsh = repo.protocol === 'ssh';
  const port = isSsh || repo.port === null ? '' : `:${repo.port}`;
  return `${isSsh ? 'https' : repo.protocol}://${repo.host}${port}/${repo.fullPath}`;
}

/** The URL to clone from over ssh. */
export function sshUrl(repo: RepoUrl): string {
  const port = repo.protocol === 'ssh' && repo.port ? `:${repo.port}` : '';
  return `ssh://${repo.protocol === 'ssh' && repo.user ? repo.user : 'git'}@${repo.host}${port}/${repo.fullPath}`;
}
