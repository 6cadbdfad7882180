import { posix } from 'node:path';
import type { ClusterInfo, JobSpecForAgent } from '@dstack/contract/agent';
import { shellQuote } from '@dstack/contract/shell';
import { clusterFiles } from './cluster-files.ts';
import type { SmallFile } from './small-file.ts';

const keep = () => null;

/** The parts of a job that these files depend on. */
export interface HomeFilesOf {
  readonly spec: Pick<JobSpecForAgent, 'repo' | 'jobs_per_replica' | 'job_private_key'>;
  readonly cluster: ClusterInfo | null;
}

/**
 * Credentials in the job's home: of its repo, so that `git pull` and `gh` work, and of its cluster,
 * so that nodes can log into each other.
 */
export function homeFiles({ spec, cluster }: HomeFilesOf, home: string): SmallFile[] {
  const files: SmallFile[] = [...clusterFiles(spec, cluster, home)];
  const { repo } = spec;
  if (repo?.oauth_token && repo.clone_url) {
    const host = hostOf(repo.clone_url);
    const text = `${host}:\n  oauth_token: ${JSON.stringify(repo.oauth_token)}\n`;
    files.push({
      path: posix.join(home, '.config/gh/hosts.yml'),
      text,
      mode: 0o600,
      over: keep,
    });
  }
  if (repo?.private_key) {
    const path = posix.join(home, '.ssh/id_rsa');
    files.push({ path, text: withNewline(repo.private_key), mode: 0o600, over: keep });
  }
  return files;
}

/** Variables of a session, not of the job. */
const OWN = new Set(['HOSTNAME', 'USER', 'HOME', 'SHELL', 'SHLVL', 'PWD', '_']);

/** Text for login shells: the job's environment and its directory. */
export function profileText(env: Readonly<Record<string, string>>): string {
  const lines = Object.entries(env)
    .filter(([name]) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !OWN.has(name))
    .map(([name, value]) => `export ${name}=${shellQuote(value)}\n`);
  return `${lines.join('')}cd "$DSTACK_WORKING_DIR"\n`;
}

export function hostOf(url: string): string {
  const scp = /^(?:[^@/]+@)?([^:/]+):(?!\/\/)/.exec(url);
  return scp?.[1] ?? new URL(url).hostname;
}

function withNewline(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`;
}
