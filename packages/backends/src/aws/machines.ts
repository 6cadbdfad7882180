/** Machines of EC2 as `base/rest-vm` sees them. */
import type { Offer } from '@dstack/core';
import { KEY_TAG, vmName } from '../base/rest-vm/names.ts';
import { MissingThingError } from '../base/rest-vm/refusals.ts';
import type { Vm, VmPhase } from '../base/rest-vm/vm-cloud.ts';
import type { Ec2, Ec2Instance } from './ec2.ts';
import { PRIVATE, VM_TAGS } from './run-form.ts';

export const EC2_STATUSES: Readonly<Record<string, VmPhase>> = {
  pending: 'waiting',
  running: 'ready',
  'shutting-down': 'ending',
  terminated: 'ended',
  // Its disk is charged: it has to be ended all the same.
  stopping: 'broken',
  stopped: 'broken',
  'Server.SpotInstanceTermination': 'reclaimed',
  'Server.SpotInstanceShutdown': 'reclaimed',
  'Server.InsufficientInstanceCapacity': 'sold-out',
};

export interface Ec2VmKind {
  /** The tag that has the key of the order: machines of gateways have another one than those of fleets. */
  readonly keyTag: string;
  /** Sizes of a type by the catalogue; null = it is not listed. */
  readonly sizes: (type: string) => Offer['instance'] | null;
}

const MIB_PER_GIB = 1024;

/** The machines of a region that have such a key, of all owners. */
export async function ec2VmsOf(
  ec2: Pick<Ec2, 'instances' | 'region'>,
  kind: Ec2VmKind,
): Promise<readonly Vm[]> {
  const instances = await ec2.instances({ 'tag-key': [kind.keyTag] });
  return instances.filter(isReported).map((instance) => vmOf(ec2.region, instance, kind));
}

/** Begins to end one. Throws `MissingThingError` if it had ended before. */
export async function endEc2Vm(ec2: Pick<Ec2, 'terminate'>, id: string): Promise<void> {
  if ((await ec2.terminate(id)) === 'terminated') {
    throw new MissingThingError(`AWS: ${id} has ended before`);
  }
}

function vmOf(region: string, instance: Ec2Instance, { keyTag, sizes }: Ec2VmKind): Vm {
  const { id, type, reason } = instance;
  const key = instance.tags[keyTag] ?? '';
  const tags: Vm['tags'] = { ...instance.tags, [KEY_TAG]: key };
  const isStatus = reason !== null && Object.hasOwn(EC2_STATUSES, reason.code);
  const price = Number(tags[VM_TAGS.price] ?? '');
  return {
    ...{ id, tags, name: vmName(key), region },
    status: isStatus ? reason.code : instance.state,
    isOver: instance.state === 'terminated',
    price: tags[VM_TAGS.price] === undefined || Number.isNaN(price) ? null : price,
    instance: withDisk(sizes(type) ?? unknownInstance(instance), instance),
    // The order, not the present configuration, decides which address is used.
    address: tags[VM_TAGS.network] === PRIVATE ? instance.privateAddress : instance.address,
    zone: instance.zone,
    privateAddress: instance.privateAddress,
    problem: reason === null ? null : wordsOf(reason, isStatus),
    loginUser: tags[VM_TAGS.user] ?? null,
  };
}

/** EC2's messages begin with the code, which is the status of a machine that EC2 has ended. */
function wordsOf({ code, message }: NonNullable<Ec2Instance['reason']>, isStatus: boolean): string {
  const prefix = `${code}: `;
  return isStatus && message.startsWith(prefix) ? message.slice(prefix.length) : message;
}

/**
 * EC2 lists a machine for an hour after its end. One that was ended by a call is as good as unknown; the end of
 * any other one is news.
 */
function isReported({ state, reason }: Ec2Instance): boolean {
  return state !== 'terminated' || !(reason === null || reason.code.startsWith('Client.User'));
}

function withDisk(known: Offer['instance'], { tags, isSpot }: Ec2Instance): Offer['instance'] {
  const disk = { size_mib: Number(tags[VM_TAGS.disk] ?? 0) * MIB_PER_GIB };
  return { ...known, resources: { ...known.resources, disk, spot: isSpot } };
}

function unknownInstance({ type, isSpot, isArm }: Ec2Instance): Offer['instance'] {
  const resources = { cpus: 0, memory_mib: 0, gpus: [], spot: isSpot, description: '' };
  const cpu_arch = isArm ? 'arm' : 'x86';
  return { name: type, resources: { ...resources, disk: { size_mib: 0 }, cpu_arch } };
}
