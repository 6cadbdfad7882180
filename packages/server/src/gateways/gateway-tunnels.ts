/** The ways by which gateways reach replicas on other hosts without the server. */
import type { GatewayReplicaRoute, GatewayService, GatewayTunnel } from '@dstack/contract/agent';
import type { Id } from '@dstack/core';
import type { HostAccessRecord, Store } from '@dstack/store';

/** The same port as in the runtime data of jobs on hosts. */
const JOB_SSH_PORT = '10022';

export type TunnelStore = Pick<Store, 'jobs' | 'hosts' | 'hostAccess'>;

/** Adds the ways to replicas that are on other hosts than the gateway. */
export async function withTunnels(
  store: TunnelStore,
  services: readonly GatewayService[],
  ownHostId: string,
): Promise<GatewayService[]> {
  const far = services.flatMap(({ replicas }) =>
    replicas.filter((one) => one.host_id !== ownHostId),
  );
  const tunnels = await tunnelsOf(store, far);
  return services.map((service) => ({
    ...service,
    replicas: service.replicas.map((one) => ({ ...one, tunnel: tunnels.get(one.job_id) ?? null })),
  }));
}

async function tunnelsOf(
  store: TunnelStore,
  replicas: readonly GatewayReplicaRoute[],
): Promise<Map<Id, GatewayTunnel>> {
  if (replicas.length === 0) return new Map();
  const hostIds = [...new Set(replicas.map(({ host_id }) => host_id))];
  const [jobs, hosts, accesses] = await Promise.all([
    store.jobs.byIds(replicas.map(({ job_id }) => job_id)),
    store.hosts.byIds(hostIds),
    store.hostAccess.byIds(hostIds),
  ]);
  const jobPorts = new Map(
    jobs.map(({ id, runtimeData }) => [id, runtimeData?.ports?.[JOB_SSH_PORT] ?? null]),
  );
  const jobKeys = new Map(hosts.map(({ id, facts }) => [id, blobOf(facts?.ssh_host_key)]));
  const ways = new Map(accesses.map((record) => [record.instanceId, wayOf(record)]));
  return new Map(
    replicas.flatMap(({ job_id, host_id }): [Id, GatewayTunnel][] => {
      const [port, key, way] = [jobPorts.get(job_id), jobKeys.get(host_id), ways.get(host_id)];
      if (!port || !key || !way) return [];
      return [[job_id, { ...way, job_port: port, job_host_key: key }]];
    }),
  );
}

/** Null: the server alone has the key of the jump host, or the host has never been reached. */
function wayOf({ access, hostKeys }: HostAccessRecord) {
  if (access.kind !== 'ssh' || access.proxy !== null) return null;
  const { hostname, port, user } = access.login;
  const key = hostKeys[`${hostname}:${port}`];
  return key === undefined ? null : { hostname, port, user, host_key: key };
}

/** `<type> <base64>`. */
function blobOf(key: string | null | undefined): string | null {
  return key?.split(' ')[1] ?? null;
}
