import { isIP } from 'node:net';
import { posix } from 'node:path';
import type { ClusterInfo, JobSpecForAgent } from '@dstack/contract/agent';
import { NODE_SSH_PORT } from '../network/node-ssh-port.ts';
import type { SmallFile } from './small-file.ts';

/** Delimits the agent's lines in a user's `~/.ssh/config`. */
const BEGIN = '# dstack: nodes of this run';
const END = '# dstack: end';

/** Type and key, as other agents report them. They must not add other lines to a job's files. */
const HOST_KEY = /^[a-z0-9@.-]+ [A-Za-z0-9+/]+={0,2}$/;
const INEXPRESSIBLE = /[\0-\x1f\x7f"]|\\(?:["'\\]|$)|\$\{/;

/** A node that is just starting refuses connections; the next try comes a second later. */
const ATTEMPTS = 30;
/** Seconds for each try: a firewall that drops packets must not delay a job for an hour. */
const TIMEOUT = 10;

/**
 * The files that make `ssh <address of a node>` and `mpirun` work in a job: the key of the run's
 * nodes and the configuration for each of them. A home that outlives its run gets new files.
 */
export function clusterFiles(
  spec: Pick<JobSpecForAgent, 'jobs_per_replica' | 'job_private_key'>,
  cluster: ClusterInfo | null,
  home: string,
): SmallFile[] {
  const ips = cluster?.job_ips.filter((ip) => isIP(ip) !== 0) ?? [];
  if (spec.jobs_per_replica < 2 || spec.job_private_key === null) return [];
  // An image may name any home, and not every path can be written into the configuration.
  if (INEXPRESSIBLE.test(home)) return [];
  const at = (name: string) => posix.join(home, '.ssh', name);
  const replaced = (name: string, text: string): SmallFile => ({
    path: at(name),
    text,
    mode: 0o600,
    over: () => text,
  });
  const known = (cluster && knownHosts(cluster)) ?? null;
  const check = known === null ? null : at('dstack_known_hosts');
  const section = `${BEGIN}\n${hostBlock(ips, at('dstack_job'), check)}${END}\n`;
  return [
    replaced('dstack_job', `${spec.job_private_key.trimEnd()}\n`),
    ...(known === null ? [] : [replaced('dstack_known_hosts', known)]),
    ...(ips.length === 0
      ? []
      : [
          {
            path: at('config'),
            text: section,
            mode: 0o600,
            over: (existing: string) => section + withoutSection(existing),
          },
        ]),
  ];
}

/**
 * Null if a node's key is not known: then no key is checked. Several nodes of one host have the
 * same address and key.
 */
function knownHosts({ job_ips: ips, host_keys: keys }: ClusterInfo): string | null {
  const lines = ips.map((ip, node) => {
    const key = keys?.[node];
    const isKnown = isIP(ip) !== 0 && key && HOST_KEY.test(key);
    return isKnown ? `[${ip}]:${NODE_SSH_PORT} ${key}\n` : null;
  });
  return lines.length === 0 || lines.includes(null) ? null : [...new Set(lines)].join('');
}

/** Ends with a block for all hosts, so that the user's own lines after it apply to all hosts. */
function hostBlock(ips: readonly string[], key: string, knownHosts: string | null): string {
  const options = [
    `Port ${NODE_SSH_PORT}`,
    `IdentityFile ${quoted(key)}`,
    'IdentitiesOnly yes',
    `StrictHostKeyChecking ${knownHosts === null ? 'no' : 'yes'}`,
    `UserKnownHostsFile ${quoted(knownHosts ?? '/dev/null')}`,
    `ConnectionAttempts ${ATTEMPTS}`,
    `ConnectTimeout ${TIMEOUT}`,
    'LogLevel ERROR',
  ];
  const hosts = [...new Set(ips)].join(' ');
  return `Host ${hosts}\n${options.map((option) => `    ${option}\n`).join('')}Host *\n`;
}

function withoutSection(text: string): string {
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END, begin);
  if (begin < 0 || end < 0) return text;
  return text.slice(0, begin) + text.slice(end + END.length).replace(/^\n/, '');
}

/** OpenSSH's own escapes begin with `%`. */
function quoted(path: string): string {
  return `"${path.replaceAll('%', '%%')}"`;
}
