/** Machines of Compute Engine as `base/rest-vm` sees them. */
import type { Offer } from '@dstack/core';
import { KEY_TAG } from '../base/rest-vm/names.ts';
import type { Vm, VmPhase } from '../base/rest-vm/vm-cloud.ts';
import { type GcpInstance, lastSegment, regionOfZone } from './compute.ts';
import { FAILED } from './insertions.ts';
import { PRICE_UNITS, PRIVATE, VM_LABELS } from './instance-form.ts';
import { vmIdOf } from './instance-ids.ts';
import { tagsIn } from './labels.ts';
import { SOLD_OUT } from './refusals.ts';

/** The status of a spot machine that is ended, and not by us. */
const PREEMPTED = 'PREEMPTED';

export const GCP_STATUSES: Readonly<Record<string, VmPhase>> = {
  PENDING: 'waiting',
  PROVISIONING: 'waiting',
  STAGING: 'waiting',
  REPAIRING: 'waiting',
  RUNNING: 'ready',
  PENDING_STOP: 'ending',
  STOPPING: 'ending',
  DEPROVISIONING: 'ending',
  // Its disk is charged: it has to be ended all the same.
  STOPPED: 'broken',
  TERMINATED: 'broken',
  SUSPENDING: 'broken',
  SUSPENDED: 'broken',
  [PREEMPTED]: 'reclaimed',
  [FAILED]: 'broken',
  [SOLD_OUT]: 'sold-out',
};
const ENDINGS: ReadonlySet<string> = new Set([
  'PENDING_STOP',
  'STOPPING',
  'DEPROVISIONING',
  'TERMINATED',
]);

/** Sizes of a type with its accelerator by the catalogue; null = it is not listed. */
export type Sizes = (type: string, accelerator: string | null) => Offer['instance'] | null;

export interface VmContext {
  readonly sizes: Sizes;
  /** The label with the key of its order. */
  readonly keyLabel: string;
  /** This process has ordered its end. */
  readonly isEnded: boolean;
}

const MIB_PER_GIB = 1024;

export function vmIdIn({ zone, name }: GcpInstance): string {
  return vmIdOf(lastSegment(zone), name);
}

export function vmOf(instance: GcpInstance, { sizes, keyLabel, isEnded }: VmContext): Vm {
  const { name, networkInterfaces = [], labels = {}, statusMessage } = instance;
  const zone = lastSegment(instance.zone);
  const labelled = tagsIn(labels);
  const tags: Vm['tags'] = { ...labelled, [KEY_TAG]: labelled[keyLabel] ?? '' };
  const [first] = networkInterfaces;
  const privateAddress = first?.networkIP ?? null;
  const publicAddress = first?.accessConfigs?.find(({ natIP }) => natIP)?.natIP ?? null;
  const status = isEnded ? instance.status : statusOf(instance);
  return {
    ...{ id: vmIdIn(instance), name, zone, tags, status, region: regionOfZone(zone) },
    price: priceIn(tags),
    instance: sizedInstance(instance, tags, sizes),
    // The order, not the present configuration, decides which address is used.
    address: tags[VM_LABELS.network] === PRIVATE ? privateAddress : publicAddress,
    privateAddress,
    problem:
      status === PREEMPTED
        ? `${instance.status}, and this server has not ended it`
        : statusMessage || null,
  };
}

/** Google ends spot machines that it takes back by the same status as all others. */
function statusOf({ status, scheduling }: GcpInstance): string {
  const isSpot = scheduling?.provisioningModel === 'SPOT';
  return isSpot && ENDINGS.has(status) ? PREEMPTED : status;
}

function priceIn(tags: Vm['tags']): number | null {
  const text = tags[VM_LABELS.price];
  const price = Number(text ?? '');
  return text === undefined || Number.isNaN(price) ? null : price / PRICE_UNITS;
}

function sizedInstance(
  { machineType, guestAccelerators = [], scheduling }: GcpInstance,
  tags: Vm['tags'],
  sizes: Sizes,
): Offer['instance'] {
  const type = lastSegment(machineType);
  const [accelerator] = guestAccelerators;
  const known =
    (accelerator && sizes(type, lastSegment(accelerator.acceleratorType))) ??
    sizes(type, null) ??
    unknownInstance(type);
  const disk = { size_mib: Number(tags[VM_LABELS.disk] ?? 0) * MIB_PER_GIB };
  const spot = scheduling?.provisioningModel === 'SPOT';
  return { ...known, resources: { ...known.resources, disk, spot } };
}

function unknownInstance(name: string): Offer['instance'] {
  const resources = { cpus: 0, memory_mib: 0, gpus: [], spot: false, description: '' };
  return { name, resources: { ...resources, disk: { size_mib: 0 }, cpu_arch: null } };
}
