import { isIP } from 'node:net';
import { posix } from 'node:path';
import type { ClusterInfo, JobSpecForAgent } from '@dstack/contract/agent';
import { NODE_SSH_PORT } from '../network/node-ssh-port.ts';
import type { SmallFile } from './small-file.ts';

/** The lines of ours in a user's `~/.ssh/config`. */
const BEGIN = '# dstack: nodes of this run';
const END = '# dstack: end';

/** Type and key, as other agents tell them: no line of their choice gets into a job's files. */
const HOST_KEY = /^[a-z0-9@.-]+ [A-Za-z0-9+/]+={0,2}$/;
const INEXPRESSIBLE = /[\0-\x1f\x7f"]|\\(?:["'\\]|$)|\$\{/;

/** A node that has not quite started yet refuses, and is tried again a second later. */
const ATTEMPTS = 30;
/** Seconds for each try: a firewall that swallows everything must not hold a job up for an hour. */
const TIMEOUT = 10;

/**
 * What makes `ssh <address of a node>` work in a job, and with it `mpirun`: the key of the run's
 * nodes and how each of them is reached. A home that outlives its run gets these files anew.
 */
export function clusterFiles(
  spec: Pick<JobSpecForAgent, 'jobs_per_replica' | 'job_private_key'>,
  cluster: ClusterInfo | null,
  home: string,
): SmallFile[] {
  const ips = cluster?.job_ips.filter((ip) => isIP(ip) !== 0) ?? [];
  if (spec.jobs_per_replica < 2 || spec.job_private_key === null) return [];
  // An image may name any home; not every name can be written into the configuration.
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
 * Null where a node's key is not known: then none is checked. Several nodes of one host have the same
 * address and key.
 */
function knownHosts({ job_ips: ips, host_keys: keys }: ClusterInfo): string | null {
  const lines = ips.map((ip, node) => {
    const key = keys?.[node];
    const isKnown = isIP(ip) !== 0 && key && HOST_KEY.test(key);
    return isKnown ? `[${ip}]:${NODE_SSH_PORT} ${key}\n` : null;
  });
  return lines.length === 0 || lines.includes(null) ? null : [...new Set(lines)].join('');
}

/** Ends with a block for all hosts, as what follows in the user's own file is meant to be. */
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
