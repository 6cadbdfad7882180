import {
  type FleetStatus,
  type HealthStatus,
  type InstanceStatus,
  isFailing,
  isFleetActive,
  isFleetFinished,
  isFleetTerminating,
  isHealthy,
  isInstanceBusy,
  isInstanceIdle,
  isInstancePending,
  isInstanceProvisioning,
  isInstanceTerminating,
} from '@dstack/contract/status';
import type { Fleet, Instance } from '@dstack/contract/wire';
import type { StatusLook } from '../../ui/status/status-badge.tsx';

/** How the status of a fleet is shown. */
export function fleetLook(
  status: FleetStatus,
  maintenance: Fleet['maintenance'] = undefined,
): StatusLook {
  if (isFleetActive(status) && maintenance !== undefined && maintenance.state !== 'planned') {
    const text = maintenance.state === 'on' ? 'In maintenance' : 'Maintenance soon';
    return { tone: 'warning', icon: 'stopped', text };
  }
  if (isFleetActive(status)) return { tone: 'running', icon: 'active', text: 'Active' };
  if (isFleetTerminating(status)) return { tone: 'stopped', icon: 'progress', text: 'Deleting' };
  if (isFleetFinished(status)) return { tone: 'stopped', icon: 'stopped', text: 'Deleted' };
  return status === 'failed'
    ? { tone: 'failed', icon: 'failed', text: 'Failed' }
    : { tone: 'queued', icon: 'waiting', text: 'Submitted' };
}

export interface InstanceState {
  readonly status: InstanceStatus;
  readonly unreachable: boolean;
  readonly health_status: HealthStatus;
  readonly total_blocks: number | null;
  readonly busy_blocks: number;
  readonly scheduling?: Instance['scheduling'];
}

/** How the status of an instance is shown: what needs a person comes first. */
export function instanceLook(instance: InstanceState): StatusLook {
  const { status, unreachable, health_status } = instance;
  if (isInstanceTerminating(status)) {
    return { tone: 'stopped', icon: 'progress', text: 'Terminating' };
  }
  if (status === 'terminated') return { tone: 'stopped', icon: 'stopped', text: 'Terminated' };
  if (unreachable) return { tone: 'warning', icon: 'warning', text: 'Unreachable' };
  if (isFailing(health_status)) return { tone: 'failed', icon: 'failed', text: 'Failing' };
  const care = careLook(instance);
  if (care !== null) return care;
  if (isInstanceBusy(status)) return { tone: 'running', icon: 'active', text: busyText(instance) };
  if (isInstanceIdle(status)) return { tone: 'done', icon: 'idle', text: 'Idle' };
  if (isInstanceProvisioning(status)) {
    return { tone: 'starting', icon: 'progress', text: 'Provisioning' };
  }
  const text = isInstancePending(status) ? 'Pending' : status;
  return { tone: 'queued', icon: 'waiting', text };
}

/** A person keeps new jobs off it; null = it gets new jobs. */
function careLook(instance: InstanceState): StatusLook | null {
  const state = instance.scheduling?.state ?? null;
  if (state === null || state === 'quarantined') return null;
  const word = CARE_WORDS[state];
  const text = isInstanceBusy(instance.status)
    ? `${busyText(instance)}, ${word.toLowerCase()}`
    : word;
  return { tone: 'warning', icon: 'stopped', text };
}

const CARE_WORDS = { cordoned: 'Cordoned', draining: 'Draining', drained: 'Drained' } as const;

function busyText({ total_blocks, busy_blocks }: InstanceState): string {
  return total_blocks !== null && total_blocks > 1 ? `Busy ${busy_blocks}/${total_blocks}` : 'Busy';
}

export function healthLook(health: HealthStatus): StatusLook {
  if (isHealthy(health)) return { tone: 'done', icon: 'ok', text: 'Healthy' };
  return isFailing(health)
    ? { tone: 'failed', icon: 'failed', text: 'Failure' }
    : { tone: 'warning', icon: 'warning', text: 'Warning' };
}
