import type { Job, JobProvisioningData, JobSubmission, Run } from '@dstack/contract/wire';
import { CliError } from '../errors.ts';
import {
  aliasValue,
  fixed,
  hostNameValue,
  pathValue,
  portValue,
  type SshValue,
  userValue,
} from './ssh-value.ts';

type Keyword =
  | 'HostName'
  | 'Port'
  | 'User'
  | 'IdentityFile'
  | 'IdentitiesOnly'
  | 'StrictHostKeyChecking'
  | 'UserKnownHostsFile'
  | 'LogLevel'
  | 'ProxyJump';

export type HostOptions = Readonly<Partial<Record<Keyword, SshValue>>>;

/** One `Host` block of an OpenSSH configuration. */
export interface HostBlock {
  readonly host: SshValue;
  readonly options: HostOptions;
}

/** How OpenSSH reaches a job: blocks to add, and the host to connect to. */
export interface Route {
  readonly blocks: readonly HostBlock[];
  readonly destination: SshValue;
}

/** Hosts are new and their addresses are reused, so their keys cannot be verified. */
const UNCHECKED = {
  StrictHostKeyChecking: fixed('no'),
  UserKnownHostsFile: fixed('/dev/null'),
} as const;

/** The port of a job's SSH server inside its container. */
const JOB_SSH_PORT = 10_022;

/** The SSH alias of a job: the run's name for its first job, otherwise the job's. */
export function hostAlias(run: Run, job: Job): SshValue {
  const { replica_num: replica, job_num: number, job_name: name } = job.job_spec;
  const isFirst = (replica ?? 0) === 0 && number === 0;
  return aliasValue(isFirst ? (run.run_spec.run_name ?? name) : name);
}

/**
 * The chain of hosts to a running job, as dstack 0.22.5 writes it. Throws a `CliError` for values
 * of the server that are not valid in an SSH configuration.
 */
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
  const own = ownOptions(identity);
  const proxied = throughProxyOfServer(job, alias, own);
  if (proxied) return proxied;
  const name = submission.job_runtime_data?.username || job.job_spec.user?.username || 'root';
  const User = userValue(name, 'the run');
  const jump = placed.ssh_proxy ? [jumpHost(placed, alias, own)] : [];
  const through = jump[0] ? { ProxyJump: jump[0].host } : {};
  const first = {
    HostName: hostNameValue(placed.hostname, 'the host'),
    Port: portValue(placed.ssh_port ?? 22, 'the host'),
  };
  if (!placed.dockerized) {
    const options = { ...first, User, ...own, ...through };
    return { blocks: [...jump, { host: alias, options }], destination: alias };
  }
  const host = `${alias}-host` as SshValue;
  const machine = {
    host,
    options: { ...first, User: userValue(placed.username, 'the host'), ...own, ...through },
  };
  const behind = {
    HostName: fixed('localhost'),
    Port: portValue(jobPort(submission), 'the run'),
    ...{ User, ...own, ProxyJump: host },
  };
  return { blocks: [...jump, machine, { host: alias, options: behind }], destination: alias };
}

function ownOptions(identity: string): HostOptions {
  return {
    ...UNCHECKED,
    IdentitiesOnly: fixed('yes'),
    // At the default level every connection warns that it has added a host key, and OpenSSH from 10.1
    // on that the key exchange is not post-quantum. `WarnWeakCrypto` is an error in older versions, and
    // `IgnoreUnknown` has no effect on blocks of other hosts.
    LogLevel: fixed('ERROR'),
    IdentityFile: pathValue(identity),
  };
}

/** With an SSH proxy of the server, the route consists of that proxy alone. */
function throughProxyOfServer(job: Job, alias: SshValue, own: HostOptions): Route | null {
  const info = job.job_connection_info;
  if (!info?.sshproxy_hostname) return null;
  const options = {
    HostName: hostNameValue(info.sshproxy_hostname, 'the SSH proxy'),
    Port: portValue(info.sshproxy_port ?? 22, 'the SSH proxy'),
    User: userValue(info.sshproxy_upstream_id, 'the SSH proxy'),
  };
  return { blocks: [{ host: alias, options: { ...options, ...own } }], destination: alias };
}

function jumpHost(placed: JobProvisioningData, alias: SshValue, own: HostOptions): HostBlock {
  const { hostname, port, username } = placed.ssh_proxy ?? {};
  return {
    host: `${alias}-jump-host` as SshValue,
    options: {
      HostName: hostNameValue(hostname, 'the jump host'),
      Port: portValue(port ?? 22, 'the jump host'),
      User: userValue(username, 'the jump host'),
      // The jump host of an SSH fleet belongs to the user, whose own SSH settings contain its key.
      ...(placed.dockerized ? UNCHECKED : own),
    },
  };
}

function jobPort(submission: JobSubmission): unknown {
  return submission.job_runtime_data?.ports?.[String(JOB_SSH_PORT)] ?? JOB_SSH_PORT;
}

export function renderBlocks(blocks: readonly HostBlock[]): string {
  return blocks
    .map(({ host, options }) => {
      const lines = Object.entries(options).map(([name, value]) => `    ${name} ${value}\n`);
      return `Host ${host}\n${lines.join('')}\n`;
    })
    .join('');
}
