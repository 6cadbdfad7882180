import type { JobProvisioningData } from '@dstack/contract/wire';
import type { Id, ProvisioningData } from '@dstack/core';

/** Which jobs clients reach through the entry: those without another way, or all. */
export type EntryJobs = 'needed' | 'all';

/** Where clients reach the SSH entry of the server. */
export interface EntryRoute {
  readonly hostname: string;
  readonly port: number;
  readonly jobs: EntryJobs;
}

/** The port of a job's SSH server: in its container, and behind the entry. */
export const JOB_SSH_PORT = 10_022;

const LOOPBACK = ['localhost', '127.0.0.1', '::1'];

type Placed = Pick<ProvisioningData, 'hostname' | 'entry_only'>;

export type EntryAnswer = Pick<
  JobProvisioningData,
  'hostname' | 'ssh_port' | 'dockerized' | 'ssh_proxy'
>;

/**
 * The data that clients of a job behind the entry receive; null if they connect another way. Official
 * clients of 0.21 and 0.22 jump through `ssh_proxy` with the key of the run if `dockerized` is false.
 */
export function entryAnswer(id: Id, placed: Placed, route: EntryRoute | null): EntryAnswer | null {
  if (route === null || (route.jobs === 'needed' && !placed.entry_only)) return null;
  return {
    hostname: placed.hostname || 'localhost',
    ssh_port: JOB_SSH_PORT,
    dockerized: false,
    ssh_proxy: { hostname: route.hostname, port: route.port, username: id },
  };
}

/** Whether a client asks for the job's SSH server, by the address in `entryAnswer`. */
export function isJobTarget(host: string, port: number, placed: Placed | null): boolean {
  return port === JOB_SSH_PORT && (LOOPBACK.includes(host) || host === placed?.hostname);
}
