import { isInstanceActive, isInstanceBusy } from '@dstack/contract/status';
import type { Fleet, Instance } from '@dstack/contract/wire';
import { backendText } from '../format/resources.ts';

/** A fleet as lists show it. */
export interface FleetRow {
  readonly id: string;
  readonly name: string;
  readonly project: string;
  readonly fleet: Fleet;
  /** Instances that have not ended. */
  readonly instances: readonly Instance[];
  readonly busy: number;
  readonly troubled: number;
  readonly gpus: number;
  readonly gpusInUse: number;
  /** Dollars per hour. */
  readonly price: number;
  readonly backends: readonly string[];
}

export function fleetRow(fleet: Fleet): FleetRow {
  const instances = fleet.instances.filter(({ status }) => isInstanceActive(status));
  return {
    id: fleet.id,
    name: fleet.name,
    project: fleet.project_name,
    fleet,
    instances,
    busy: instances.filter(({ status }) => isInstanceBusy(status)).length,
    troubled: instances.filter(needsAttention).length,
    gpus: sum(instances, gpuCount),
    gpusInUse: sum(instances, gpusInUse),
    price: sum(instances, ({ price }) => price ?? 0),
    backends: backendsOf(fleet, instances),
  };
}

export const needsAttention = ({ unreachable, health_status }: Instance): boolean =>
  unreachable || health_status !== 'healthy';

export const gpuCount = ({ instance_type }: Instance): number =>
  instance_type?.resources.gpus.length ?? 0;

/** GPUs are divided among the blocks. */
export function gpusInUse(instance: Instance): number {
  const { total_blocks, busy_blocks, status } = instance;
  if (!isInstanceBusy(status)) return 0;
  return Math.round((gpuCount(instance) * busy_blocks) / Math.max(1, total_blocks ?? 1));
}

/** The backends of the fleet's instances; without instances, those that its configuration names. */
function backendsOf(fleet: Fleet, instances: readonly Instance[]): readonly string[] {
  const own = instances.flatMap(({ backend, region }) => backendText(backend, region) ?? []);
  if (own.length > 0) return [...new Set(own)].sort();
  const { ssh_config, backends } = fleet.spec.configuration;
  return ssh_config ? ['ssh'] : (backends ?? []);
}

/** `0..4`, `2`, `1..`: how many instances the configuration asks for. */
export function nodesText(fleet: Fleet): string {
  const { nodes, ssh_config } = fleet.spec.configuration;
  if (ssh_config) return `${ssh_config.hosts.length}`;
  if (!nodes) return '';
  if (nodes.min === nodes.max) return `${nodes.min}`;
  return `${nodes.min}..${nodes.max ?? ''}`;
}

const sum = <T>(items: readonly T[], value: (item: T) => number): number =>
  items.reduce((total, item) => total + value(item), 0);
