/** The route of the SSH proxy to a running job, and its permission. */
import { notExists } from '@dstack/contract/api';
import { isJobRunning } from '@dstack/contract/status';
import type { GetUpstreamResponse, UpstreamHost } from '@dstack/contract/wire';
import type { ProvisioningData } from '@dstack/core';
import type { JobView } from '@dstack/store';
import { keysOfRun } from '../../hosts/run-keys.ts';
import { JOB_SSH_PORT } from '../../ssh-entry/entry-route.ts';
import { jobIdOf } from '../../ssh-entry/job-id.ts';
import type { HttpDeps } from '../ports.ts';

/** `id`: of a job submission, with or without hyphens. */
export async function upstreamOf(deps: HttpDeps, id: string): Promise<GetUpstreamResponse> {
  const jobId = jobIdOf(id);
  const view = jobId && (await deps.store.jobs.byId(jobId));
  if (!view || !isJobRunning(view.job.status) || view.job.provisioningData === null) {
    throw notExists('Found no running job with this id');
  }
  return {
    hosts: await hostsOf(deps, view, view.job.provisioningData),
    authorized_keys: await keysOfRun(deps.store, view.run),
  };
}

/** Jump hosts first, the job's own SSH server last. */
async function hostsOf(
  deps: HttpDeps,
  view: JobView,
  placed: ProvisioningData,
): Promise<UpstreamHost[]> {
  const { job, run } = view;
  const private_key = await deps.store.projects.privateKey(run.projectId);
  if (private_key === null) throw notExists('The project of this job was deleted');
  const host = placed.hostname ?? '';
  const port = placed.ssh_port ?? 22;
  const user = job.runtimeData?.username ?? 'root';
  const jump = await jumpHost(deps, view, placed, private_key);
  if (!placed.dockerized) return [...jump, { host, port, user, private_key }];
  const machine = { host, port, user: placed.username, private_key };
  const jobPort = job.runtimeData?.ports?.[String(JOB_SSH_PORT)] ?? JOB_SSH_PORT;
  return [...jump, machine, { host: 'localhost', port: jobPort, user, private_key }];
}

/** A jump host of an SSH fleet has its own key in the fleet's configuration. */
async function jumpHost(
  deps: HttpDeps,
  { job }: JobView,
  { ssh_proxy, hostname }: ProvisioningData,
  projectKey: string,
): Promise<UpstreamHost[]> {
  if (!ssh_proxy) return [];
  const instance = job.instanceId && (await deps.store.instances.byId(job.instanceId));
  const fleet = instance ? await deps.store.fleets.byId(instance.instance.fleetId) : null;
  const ssh = fleet?.fleet.spec.configuration.ssh_config ?? null;
  const own = ssh?.hosts.find((host) => typeof host !== 'string' && host.hostname === hostname);
  const proxy = (typeof own === 'object' ? own.proxy_jump : null) ?? ssh?.proxy_jump;
  return [
    {
      host: ssh_proxy.hostname,
      port: ssh_proxy.port,
      user: ssh_proxy.username,
      private_key: proxy?.ssh_key?.private ?? projectKey,
    },
  ];
}
