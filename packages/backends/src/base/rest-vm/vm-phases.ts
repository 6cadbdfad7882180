/** The meaning of the status of a machine. */
import type { Vm, VmCloud, VmPhase } from './vm-cloud.ts';

type Statuses = Pick<VmCloud, 'statuses'>;

export function phaseOf({ statuses }: Statuses, { status }: Vm): VmPhase {
  return (Object.hasOwn(statuses, status) && statuses[status]) || 'waiting';
}

export function isOver(cloud: Statuses, vm: Vm): boolean {
  return vm.isOver === true || phaseOf(cloud, vm) === 'ended';
}

export function isEnding(cloud: Statuses, vm: Vm): boolean {
  return isOver(cloud, vm) || phaseOf(cloud, vm) === 'ending';
}
