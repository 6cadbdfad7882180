/** Where the files of a repo's Git LFS are, as its documentation on server discovery has it. */
import { type GitRunner, ProgramFailed } from '../git-runner.ts';

export interface LfsEndpoint {
  /** Without a slash at its end; `/objects/batch` follows. */
  readonly url: string;
  /** For the endpoint alone. */
  readonly headers: Readonly<Record<string, string>>;
}

/** `git-lfs-authenticate` is not installed on the other side. */
const NOT_FOUND = 127;
/** `[user@]host:path` */
const SCP = /^((?:[^@/:\s]+@)?(?:\[[0-9A-Fa-f:.%]+\]|[^@/:\s[\]]+)):(.+)$/;

/** Throws an error for a transport that a clone may not use. */
export async function lfsEndpoint(
  runner: GitRunner,
  dir: string,
  remote: string,
): Promise<LfsEndpoint> {
  const configured = await configuredUrl(runner, dir);
  const url = configured ?? remote;
  if (/^https?:\/\/[^/]/i.test(url)) {
    return { url: configured === null ? serverOf(url) : bare(url), headers: {} };
  }
  const login = sshLogin(url);
  if (login) return await authenticate(runner, login);
  throw new Error(`Git LFS: the transport of ${url} is not https, http or ssh`);
}

/** The repo names another server in `.lfsconfig`. */
async function configuredUrl(runner: GitRunner, dir: string): Promise<string | null> {
  for (const key of ['lfs.url', 'remote.origin.lfsurl']) {
    const args = ['config', '--blob', 'HEAD:.lfsconfig', '--get', key];
    const value = await runner.git(dir, args).catch((error: unknown) => {
      // The file or the key is missing.
      if (error instanceof ProgramFailed && error.code !== null) return '';
      throw error;
    });
    if (value.trim() !== '') return value.trim();
  }
  return null;
}

/** Without slashes at the end; an expression for them would take quadratic time. */
function bare(url: string): string {
  let end = url.length;
  while (url[end - 1] === '/') end--;
  return url.slice(0, end);
}

function serverOf(remote: string): string {
  const url = bare(remote);
  return `${url.endsWith('.git') ? url : `${url}.git`}/info/lfs`;
}

interface SshLogin {
  /** `user@host` */
  readonly target: string;
  readonly port: string | null;
  readonly path: string;
}

function sshLogin(url: string): SshLogin | null {
  const isSsh = /^(?:git\+ssh|ssh\+git|ssh):\/\//i.test(url);
  const parsed = isSsh ? URL.parse(url) : null;
  if (parsed) {
    const user = parsed.username === '' ? '' : `${decodeURIComponent(parsed.username)}@`;
    const path = decodeURIComponent(parsed.pathname).replace(/^\/~/, '~');
    return checked({ target: `${user}${parsed.hostname}`, port: parsed.port || null, path });
  }
  const [, target = '', path = ''] = url.includes('://') ? [] : (SCP.exec(url) ?? []);
  return target === '' ? null : checked({ target: target.replace(/[[\]]/g, ''), port: null, path });
}

/** OpenSSH must not take the target for an option; the shell of the other side reads the path. */
function checked(login: SshLogin): SshLogin | null {
  return login.target.startsWith('-') || /[\s'"\\\p{Cc}]/u.test(login.path) ? null : login;
}

async function authenticate(runner: GitRunner, login: SshLogin): Promise<LfsEndpoint> {
  const { target, port, path } = login;
  const command = `git-lfs-authenticate ${quoted(path)} download`;
  const args = [...(port === null ? [] : ['-p', port]), target, command];
  try {
    const answer = JSON.parse(await runner.ssh(args)) as { href?: unknown; header?: unknown };
    const headers = Object.entries(answer.header ?? {}).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    );
    const url = typeof answer.href === 'string' ? bare(answer.href) : byHttps(login);
    return { url, headers: Object.fromEntries(headers) };
  } catch (error) {
    if (!(error instanceof ProgramFailed) || error.code !== NOT_FOUND) throw error;
    return { url: byHttps(login), headers: {} };
  }
}

/** Quotes like git-lfs: forges split the command themselves, so that plain paths stay without quotes. */
const quoted = (path: string): string => (/^[\w./~@:+-]+$/.test(path) ? path : `'${path}'`);

function byHttps({ target, path }: SshLogin): string {
  const host = target.slice(target.lastIndexOf('@') + 1);
  return serverOf(`https://${host.includes(':') ? `[${host}]` : host}/${path.replace(/^\/+/, '')}`);
}
