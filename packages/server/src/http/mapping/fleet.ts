import {
  type Fleet,
  type FleetSpec,
  formatTimestamp,
  type MaintenanceWindow,
} from '@dstack/contract/wire';
import { type FleetRecord, fleetWindow, type Timestamp } from '@dstack/core';
import type { FleetView } from '@dstack/store';
import { perRecord } from '../kept-parts.ts';
import { wireInstance } from './instance.ts';

export function wireFleet(view: FleetView, now: Timestamp): Fleet {
  const { fleet, projectName } = view;
  const maintenance = wireMaintenance(fleet, now);
  return {
    id: fleet.id,
    name: fleet.name,
    project_name: projectName,
    spec: wireFleetSpec(fleet.spec),
    created_at: formatTimestamp(fleet.createdAt),
    status: fleet.status,
    status_message: fleet.statusMessage,
    ...(maintenance !== null && { maintenance }),
    instances: view.instances.map((instance) => wireInstance(instance, { projectName, fleet })),
  };
}

const wireFleetSpec = perRecord(withoutKeys);

function wireMaintenance(fleet: FleetRecord, now: Timestamp): MaintenanceWindow | null {
  const window = fleet.deleted ? null : fleetWindow(fleet, now);
  if (window === null) return null;
  return {
    state: window.state,
    leaving_at: formatTimestamp(window.leavingAt),
    starts_at: formatTimestamp(window.startsAt),
    ends_at: formatTimestamp(window.endsAt),
  };
}

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
