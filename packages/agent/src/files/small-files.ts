import { posix } from 'node:path';
import type { ExecutorJob } from '../jobs/executor.ts';

/** A short text that the job finds at a path of its own. */
export interface SmallFile {
  readonly path: string;
  readonly text: string;
  readonly mode: number;
  /** What becomes of a file that is there already. */
  readonly existing: 'keep' | 'append';
}

/** Port on which the nodes of a cluster reach each other, fixed by dstack 0.22.5. */
const NODE_SSH_PORT = 10022;

/**
 * Credentials in the job's home: of its repo, so that `git pull` and `gh` go on working, and of its
 * cluster, so that nodes can log into each other.
 */
export function homeFiles({ spec, cluster }: ExecutorJob, home: string): SmallFile[] {
  const files: SmallFile[] = [];
  const { repo, job_private_key: nodeKey } = spec;
  if (repo?.oauth_token && repo.clone_url) {
    const host = hostOf(repo.clone_url);
    const text = `${host}:\n  oauth_token: ${JSON.stringify(repo.oauth_token)}\n`;
    files.push({
      path: posix.join(home, '.config/gh/hosts.yml'),
      text,
      mode: 0o600,
      existing: 'keep',
    });
  }
  if (repo?.private_key) {
    const path = posix.join(home, '.ssh/id_rsa');
    files.push({ path, text: withNewline(repo.private_key), mode: 0o600, existing: 'keep' });
  }
  if (nodeKey && spec.jobs_per_replica > 1) {
    const key = posix.join(home, '.ssh/dstack_job');
    files.push({ path: key, text: withNewline(nodeKey), mode: 0o600, existing: 'keep' });
    const text = (cluster?.job_ips ?? []).map((ip) => hostBlock(ip, key)).join('');
    files.push({ path: posix.join(home, '.ssh/config'), text, mode: 0o600, existing: 'append' });
  }
  return files;
}

/** Names that belong to the session and not to the job. */
const OWN = new Set(['HOSTNAME', 'USER', 'HOME', 'SHELL', 'SHLVL', 'PWD', '_']);

/** Text for login shells: the job's environment and its directory. */
export function profileText(env: Readonly<Record<string, string>>): string {
  const lines = Object.entries(env)
    .filter(([name]) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !OWN.has(name))
    .map(([name, value]) => `export ${name}='${value.replaceAll("'", `'\\''`)}'\n`);
  return `${lines.join('')}cd "$DSTACK_WORKING_DIR"\n`;
}

export function hostOf(url: string): string {
  const scp = /^(?:[^@/]+@)?([^:/]+):(?!\/\/)/.exec(url);
  return scp?.[1] ?? new URL(url).hostname;
}

function hostBlock(ip: string, key: string): string {
  return (
    `\nHost ${ip}\n    Port ${NODE_SSH_PORT}\n    StrictHostKeyChecking no\n` +
    `    UserKnownHostsFile /dev/null\n    IdentityFile ${key}\n`
  );
}

function withNewline(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`;
}
