import type { AgentInfo, JobState } from '@dstack/contract/agent';

/** The report of an agent about a plain host. */
export const AGENT_INFO: AgentInfo = {
  version: '0.1.0',
  features: [],
  protocol: { min: 1, max: 1 },
  server_id: null,
  executor: 'process',
  time: null,
  host: {
    ...{ hostname: 'host', arch: 'x86', cpus: 2, memory_bytes: 4e9, disk_bytes: 0 },
    ...{ addresses: ['10.0.0.1/24'], gpus: [], gpu_driver: null, ssh_host_key: null },
  },
};

/** A running job. */
export function jobState(id: string, more: Partial<JobState> = {}): JobState {
  return {
    ...{ id, seq: 1, phase: 'running', ssh_port: null, working_dir: null, username: null },
    ...{ stop_stage: null, exit: null, log_end: 0, container_ip: null },
    ...more,
  };
}
