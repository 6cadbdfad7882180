/** The container of a job whose first process is the agent, as in a pod. */
import { accessSync, constants, readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import type { ClusterInfo } from '@dstack/contract/agent';
import { ownAccount, resolveUser } from '../executor/accounts.ts';
import type { ExecutorJob } from '../executor/executor.ts';
import type { JobAccount } from '../executor/job-account.ts';
import { isExportedFunction } from '../executor/job-environment.ts';

export interface JobContainer {
  /** The image's value, or the one that the cluster has set. */
  readonly workingDir: string;
  /** The image's values, and those that the cluster adds. */
  readonly env: Readonly<Record<string, string>>;
}

/** An address that the server leaves out: it starts the only job of a pod before it has the address. */
export function withOwnAddress(cluster: ClusterInfo, container: JobContainer | null): ClusterInfo {
  const [only, ...others] = cluster.job_ips;
  if (container === null || only !== '' || others.length > 0) return cluster;
  const address = ownAddress();
  return address === null ? cluster : { ...cluster, job_ips: [address], master_job_ip: address };
}

function ownAddress(): string | null {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return all.find(({ internal, family }) => !internal && family === 'IPv4')?.address ?? null;
}

/** Variables for the agent itself. */
const OWN = /^DSTACK_AGENT_/;

/** The container as the agent finds it when it starts. */
export function thisContainer(): JobContainer {
  const entries = Object.entries(process.env).flatMap(([name, value]) =>
    value === undefined || OWN.test(name) || isExportedFunction(name) ? [] : [[name, value]],
  );
  return { workingDir: process.cwd(), env: Object.fromEntries(entries) };
}

/**
 * The user that the job requests, if the agent may switch to it, else that of the container. The home
 * is the one of the image, unless nothing can be written there. Throws `JobFailure`.
 */
export function accountInside({ env }: JobContainer, { spec, folder }: ExecutorJob): JobAccount {
  const own = process.getuid?.() ?? 0;
  const other = own === 0 ? spec.user : null;
  const [passwd, group] = [read('/etc/passwd'), read('/etc/group')];
  if (other) {
    const { groups: _, ...account } = resolveUser(other, passwd, group);
    if (account.uid !== own) return account;
  }
  const account = ownAccount(folder.home);
  const home = resolveUser({ uid: own, username: null }, passwd, group).home;
  const places = [home, env.HOME ?? ''].filter((path) => path !== '' && path !== '/');
  return { ...account, home: places.find(isWritable) ?? account.home };
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
