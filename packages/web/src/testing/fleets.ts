import type { Fleet, Instance } from '@dstack/contract/wire';

const idOf = (text: string): string =>
  `00000000-0000-4000-8000-${Buffer.from(text).toString('hex').padEnd(12, '0').slice(-12)}`;

/** An instance as the API returns it; only what differs has to be stated. */
export function anInstance(
  fleet: string,
  num: number,
  more: Partial<Instance> = {},
  gpus = 0,
): Instance {
  const gpu = { name: 'H100', memory_mib: 81_920, vendor: 'nvidia' };
  return {
    id: idOf(`${fleet}${num}`),
    project_name: 'main',
    backend: 'remote',
    region: 'remote',
    name: `${fleet}-${num}`,
    fleet_id: idOf(fleet),
    fleet_name: fleet,
    instance_num: num,
    job_name: null,
    hostname: `10.0.0.${num + 1}`,
    status: 'idle',
    unreachable: false,
    health_status: 'healthy',
    termination_reason: null,
    termination_reason_message: null,
    created: '2026-11-26T12:00:00Z',
    finished_at: null,
    availability_zone: null,
    price: 0,
    total_blocks: 1,
    busy_blocks: 0,
    gpu_driver: null,
    instance_type: {
      name: 'ssh',
      resources: {
        cpus: 8,
        memory_mib: 32_768,
        gpus: Array.from({ length: gpus }, () => gpu),
        spot: false,
        disk: { size_mib: 102_400 },
      },
    },
    ...more,
  } as unknown as Instance;
}

/** A fleet as the API returns it. */
export function aFleet(
  name: string,
  instances: readonly Instance[] = [],
  more: object = {},
): Fleet {
  return {
    id: idOf(name),
    name,
    project_name: 'main',
    spec: {
      configuration: { type: 'fleet', name, nodes: { min: 0, max: 4 }, ssh_config: null },
      profile: { name: 'default' },
    },
    created_at: '2026-11-26T12:00:00Z',
    status: 'active',
    status_message: null,
    instances,
    ...more,
  } as unknown as Fleet;
}
