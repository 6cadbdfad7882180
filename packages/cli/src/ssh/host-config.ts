import { chmod, readFile, realpath, rename, stat, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import type { Job, Run } from '@dstack/contract/wire';
import { CliError } from '../errors.ts';
import { makeFolders } from '../files/make-folders.ts';
import { withFileLock } from './file-lock.ts';
import { findHost } from './user-config.ts';

/** One `Host` block of an OpenSSH configuration. */
export interface HostBlock {
  readonly host: string;
  readonly options: Readonly<Record<string, string | number>>;
}

/** How OpenSSH reaches a job: blocks to add, and the host to connect to. */
export interface Route {
  readonly blocks: readonly HostBlock[];
  readonly destination: string;
  readonly user: string;
}

/** Of no use between two machines that have never met, and in the way when addresses are reused. */
const UNCHECKED = {
  StrictHostKeyChecking: 'no',
  UserKnownHostsFile: '/dev/null',
  IdentitiesOnly: 'yes',
  // Else every connection says that it has learned a host that it forgets at once, and OpenSSH from
  // 10.1 on that there is no post-quantum key exchange. `WarnWeakCrypto` is no way to say so: older
  // ones do not know it, and `IgnoreUnknown` has no effect on blocks of other hosts.
  LogLevel: 'ERROR',
} as const;

/** The port of a job's SSH server inside its container. */
const JOB_SSH_PORT = 10_022;

/** The name by which `ssh` knows a job: the run's for its first job, else the job's. */
export function hostAlias(run: Run, job: Job): string {
  const { replica_num: replica, job_num: number, job_name: name } = job.job_spec;
  return replica === 0 && number === 0 ? (run.run_spec.run_name ?? name) : name;
}

/** The chain of hosts to a running job, as dstack 0.22.5 writes it. */
export function routeTo(run: Run, job: Job, identity: string): Route {
  const alias = hostAlias(run, job);
  const submission = job.job_submissions.at(-1);
  const placed = submission?.job_provisioning_data;
  if (!submission || !placed?.hostname) {
    throw new CliError(`Run ${run.run_spec.run_name} has no address yet`, {
      why: `its status is ${run.status}`,
      next: `dstack ps`,
    });
  }
  const info = job.job_connection_info;
  const user = submission.job_runtime_data?.username || job.job_spec.user?.username || 'root';
  const own = { ...UNCHECKED, IdentityFile: quoted(identity) };
  if (info?.sshproxy_hostname) {
    const upstream = info.sshproxy_upstream_id ?? '';
    const options = {
      HostName: info.sshproxy_hostname,
      Port: info.sshproxy_port ?? 22,
      User: upstream,
    };
    return {
      blocks: [{ host: alias, options: { ...options, ...own } }],
      destination: alias,
      user: upstream,
    };
  }
  const blocks: HostBlock[] = [];
  const proxy = placed.ssh_proxy;
  const jump = `${alias}-jump-host`;
  if (proxy) {
    const { hostname, port, username } = proxy;
    // A jump host before a machine is the user's own: ssh finds the key for it by itself.
    const key = placed.dockerized
      ? { StrictHostKeyChecking: 'no', UserKnownHostsFile: '/dev/null' }
      : own;
    blocks.push({
      host: jump,
      options: { HostName: hostname, Port: port, User: username, ...key },
    });
  }
  const through: Record<string, string> = proxy ? { ProxyJump: jump } : {};
  const port = placed.ssh_port ?? 22;
  if (!placed.dockerized) {
    const options = { HostName: placed.hostname, Port: port, User: user, ...own, ...through };
    blocks.push({ host: alias, options });
    return { blocks, destination: alias, user };
  }
  const machine = `${alias}-host`;
  const { username } = placed;
  blocks.push({
    host: machine,
    options: { HostName: placed.hostname, Port: port, User: username, ...own, ...through },
  });
  const jobPort = submission.job_runtime_data?.ports?.[String(JOB_SSH_PORT)] ?? JOB_SSH_PORT;
  blocks.push({
    host: alias,
    options: { HostName: 'localhost', Port: jobPort, User: user, ...own, ProxyJump: machine },
  });
  return { blocks, destination: alias, user };
}

export function sshConfigPath(home: string): string {
  return join(home, '.dstack', 'ssh', 'config');
}

/** Adds blocks to `~/.dstack/ssh/config`, in place of older ones of the same hosts. */
export async function addHosts(home: string, blocks: readonly HostBlock[]): Promise<void> {
  const hosts = blocks.map((b) => b.host);
  await editConfig(sshConfigPath(home), (text) => withoutHosts(text, hosts) + renderBlocks(blocks));
}

export async function removeHosts(home: string, blocks: readonly HostBlock[]): Promise<void> {
  const hosts = blocks.map((b) => b.host);
  await editConfig(sshConfigPath(home), (text) => withoutHosts(text, hosts));
}

/** Whether the file says that the hosts are where these blocks say; other clients write other options. */
export async function hasHosts(home: string, blocks: readonly HostBlock[]): Promise<boolean> {
  const text = await readFile(sshConfigPath(home), 'utf8').catch(() => '');
  return blocks.every(({ host, options }) => {
    const known = findHost(text, host, home);
    return known?.hostName === String(options.HostName) && known.port === String(options.Port);
  });
}

/** Makes the user's own configuration read ours. Returns why that was not possible, or null. */
export async function includeInUserConfig(home: string): Promise<string | null> {
  try {
    await editConfig(join(home, '.ssh', 'config'), (text) => withInclude(text, home));
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

/**
 * The line has to come before the first `Host` or `Match`, of which it would be a part otherwise.
 * It is written as dstack 0.22.5 writes it, so that both clients find it; ssh does not take `~` from
 * the environment, though.
 */
export function withInclude(text: string, home: string): string {
  const path = sshConfigPath(home);
  const short = userInfo().homedir === home ? '~/.dstack/ssh/config' : path;
  const isOurs = (line: string): boolean => {
    const [, value] = /^\s*Include[\s=]+"?(.+?)"?\s*$/i.exec(line) ?? [];
    return value === path || value === '~/.dstack/ssh/config';
  };
  const lines = text.split(/(?<=\n)/);
  const firstHost = lines.findIndex((line) => /^\s*(Host|Match)[\s=]/i.test(line));
  const at = lines.findIndex(isOurs);
  if (at >= 0 && (firstHost < 0 || at < firstHost)) return text;
  const rest = lines.filter((line) => !isOurs(line)).join('');
  return `Include ${quoted(short)}\n\n${rest}`;
}

export function renderBlocks(blocks: readonly HostBlock[]): string {
  return blocks
    .map(({ host, options }) => {
      const lines = Object.entries(options).map(([name, value]) => `    ${name} ${value}\n`);
      return `Host ${host}\n${lines.join('')}\n`;
    })
    .join('');
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
    // People keep their dot files elsewhere and link to them: the link stays.
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

function quoted(path: string): string {
  return /\s/.test(path) ? `"${path}"` : path;
}
