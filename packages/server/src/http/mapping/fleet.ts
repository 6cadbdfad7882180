import { type Fleet, type FleetSpec, formatTimestamp } from '@dstack/contract/wire';
import type { FleetView } from '@dstack/store';
import { perRecord } from '../kept-parts.ts';
import { wireInstance } from './instance.ts';

export function wireFleet(view: FleetView): Fleet {
  const { fleet, projectName } = view;
  return {
    id: fleet.id,
    name: fleet.name,
    project_name: projectName,
    spec: wireFleetSpec(fleet.spec),
    created_at: formatTimestamp(fleet.createdAt),
    status: fleet.status,
    status_message: fleet.statusMessage,
    instances: view.instances.map((instance) =>
      wireInstance(instance, { projectName, fleetName: fleet.name }),
    ),
  };
}

const wireFleetSpec = perRecord(withoutKeys);

/** SSH keys are accepted, and never returned. */
export function withoutKeys(spec: FleetSpec): FleetSpec {
  const ssh = spec.configuration.ssh_config;
  if (ssh === null) return spec;
  const hosts = ssh.hosts.map((host) =>
    typeof host === 'string' ? host : { ...host, ssh_key: null, proxy_jump: jump(host.proxy_jump) },
  );
  const ssh_config = { ...ssh, ssh_key: null, proxy_jump: jump(ssh.proxy_jump), hosts };
  return { ...spec, configuration: { ...spec.configuration, ssh_config } };
}

function jump<J extends { ssh_key: unknown } | null>(proxy: J): J {
  return proxy === null ? proxy : { ...proxy, ssh_key: null };
}
