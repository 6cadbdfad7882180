import type { AgentInfo } from '@dstack/contract/agent';

/** The report of an agent on a plain host. */
export const AGENT_INFO: AgentInfo = {
  ...{ version: '1', features: [], protocol: { min: 1, max: 1 }, server_id: null },
  executor: 'process',
  time: null,
  host: {
    ...{ hostname: 'h', arch: 'x86', cpus: 1, memory_bytes: 1, disk_bytes: 1, addresses: [] },
    ...{ gpus: [], gpu_driver: null, ssh_host_key: null },
  },
};
