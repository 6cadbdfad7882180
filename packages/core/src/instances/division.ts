/**
 * The division of instances into blocks. Jobs hold blocks of the present division, so another one that the fleet
 * specifies waits until no job is left.
 */
import type { FleetSpec } from '@dstack/contract/wire';
import { capabilitiesOf } from '../capabilities/capabilities.ts';
import type { Draft } from '../draft/draft.ts';
import { instanceTarget } from '../events/events.ts';
import { recordEvent } from '../events/record-event.ts';
import { indivisibleText } from '../fleet-spec/host-capacity.ts';
import { fleetHosts, hostAddress, type SshConfig } from '../fleet-spec/prepare.ts';
import type { Decision, InstanceRecord, Timestamp } from '../model/index.ts';
import { totalBlocksOf } from '../offers/blocks.ts';
import { isInstanceActive } from '../status/index.ts';
import { signalCapacity } from './capacity.ts';

type Blocks = number | 'auto';
type Divided = Pick<
  InstanceRecord,
  'backend' | 'offer' | 'provisioningData' | 'status' | 'totalBlocks'
>;

/** The number of blocks that the spec gives an instance and that it does not have yet; null: none, or not known. */
export function nextBlocks(instance: Divided, spec: FleetSpec): number | null {
  const { offer, totalBlocks } = instance;
  const wanted = specifiedBlocks(instance, spec);
  if (wanted === null || offer === null || totalBlocks === wanted) return null;
  const next = totalBlocksOf(offer, wanted);
  return next === totalBlocks ? null : next;
}

/** Why the instance cannot have the blocks that the spec gives it; null if it can. */
export function divisionProblem(
  instance: Divided & Pick<InstanceRecord, 'name'>,
  spec: FleetSpec,
): string | null {
  const { offer, totalBlocks, provisioningData, name } = instance;
  const wanted = specifiedBlocks(instance, spec);
  if (wanted === null || offer === null || totalBlocks === wanted) return null;
  if (totalBlocksOf(offer, wanted) !== null) return null;
  const subject =
    spec.configuration.ssh_config === null
      ? `Instance ${name}`
      : `Host ${provisioningData?.hostname} (${name})`;
  return `${subject} cannot be divided: ${indivisibleText(offer, wanted)}`;
}

/** Divides an instance as its fleet specifies, unless jobs hold blocks of it, and reports it. */
export function settleDivision(draft: Draft, instance: InstanceRecord): InstanceRecord {
  const use = draft.fleetUse(instance.fleetId);
  if (use === null || instance.busyBlocks > 0) return instance;
  const totalBlocks = nextBlocks(instance, use.fleet.spec);
  if (totalBlocks === null) return instance;
  const divided = draft.instances.set(instance, { totalBlocks });
  const data = { before: instance.totalBlocks, blocks: totalBlocks };
  const targets = [instanceTarget(divided)];
  draft.event(recordEvent({ action: 'instance.divided', data, targets }));
  signalCapacity(draft, divided);
  return divided;
}

/**
 * The fleet's spec has been changed: free instances are divided at once. Used ones are written too, so that a pass that is about
 * to release one reads the new spec first.
 */
export function withDivision(
  instances: readonly InstanceRecord[],
  spec: FleetSpec,
  now: Timestamp,
): Pick<Decision, 'changes' | 'signals'> {
  const concerned = instances.flatMap((instance) => {
    const next = nextBlocks(instance, spec);
    return next === null ? [] : [{ instance, next }];
  });
  return {
    changes: concerned.map(({ instance: { id, version, busyBlocks }, next }) => ({
      ...{ type: 'instance.update', id, version },
      set: busyBlocks === 0 ? { totalBlocks: next } : { nextPassAt: now },
    })),
    signals: concerned.map(({ instance: { id } }) => ({ kind: 'instance', id })),
  };
}

function specifiedBlocks(
  { backend, provisioningData, status }: Divided,
  { configuration }: FleetSpec,
): Blocks | null {
  // What is one job's own container is not divided.
  if (!isInstanceActive(status) || capabilitiesOf(backend).container) return null;
  const common = configuration.blocks ?? 1;
  if (!configuration.ssh_config) return common;
  if (provisioningData === null) return null;
  const { hostname, ssh_port: port } = provisioningData;
  if (hostname === null) return null;
  const hosts = blocksByHost(configuration.ssh_config);
  const own = hosts.get(hostAddress({ hostname, port: port ?? null }));
  // A host that leaves the fleet stays as it is.
  return own === undefined ? null : (own ?? common);
}

/** Specs are immutable, and a list of a fleet with 1 000 hosts asks for each of them. */
const known = new WeakMap<SshConfig, ReadonlyMap<string, Blocks | null>>();

function blocksByHost(ssh: SshConfig): ReadonlyMap<string, Blocks | null> {
  const made =
    known.get(ssh) ?? new Map(fleetHosts(ssh).map((host) => [hostAddress(host), host.blocks]));
  known.set(ssh, made);
  return made;
}
