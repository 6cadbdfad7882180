/** When a gang that does not fit now could start, and where, by the known ends of running jobs. */
import type { Finding } from '@dstack/contract/wire';
import type { FleetRecord, InstanceRecord, ReservedShare, Timestamp } from '../../model/index.ts';
import { isUsable } from '../../offers/pool.ts';
import { isInstanceAvailable } from '../../status/index.ts';
import type { GangRequest, NodeRequest } from '../gang-request.ts';
import type { CapacityLedger } from '../place/capacity-ledger.ts';
import { isClusterFor, nodesNeeded } from '../place/choose-fleet.ts';
import { byNumber } from '../place/fleet-index.ts';
import { looksAt } from '../place/refusals.ts';

export interface PlannedStart {
  readonly fleet: FleetRecord;
  /** The present moment, if the blocks are free now. */
  readonly startsAt: Timestamp;
  readonly shares: readonly ReservedShare[];
  /** How many nodes these shares could take now. */
  readonly idle: number;
}

/** An instance that can take nodes of the gang. */
interface Room {
  readonly instance: InstanceRecord;
  /** Blocks of one node. */
  readonly blocks: number;
  /** When it has room for one node, for two, …; as many as are known. */
  readonly times: readonly Timestamp[];
}

/**
 * The earliest start in the fleet. Of the instances that are free by then, those are taken that become
 * free last: what is idle now stays for others. Null: too few ends are known, or the nodes differ.
 */
export function earliestStart(
  ledger: CapacityLedger,
  fleet: FleetRecord,
  request: GangRequest,
): PlannedStart | null {
  const needed = nodesNeeded(ledger, request);
  const starts = sitesOf(roomsIn(ledger, fleet, request), request)
    .map((rooms) => startOn(rooms, needed, ledger.ends.now))
    .flatMap((start) => (start && afterWindows(ledger, fleet, request, start)) ?? []);
  const [first, ...others] = starts;
  if (!first) return null;
  return { fleet, ...others.reduce((a, b) => (b.startsAt < a.startsAt ? b : a), first) };
}

/** When the gang could start on these shares; null = they are lost to it, or too few, or not known. */
export function startOnShares(
  ledger: CapacityLedger,
  fleet: FleetRecord,
  request: GangRequest,
  shares: readonly ReservedShare[],
): PlannedStart | null {
  const rooms = new Map(roomsIn(ledger, fleet, request).map((room) => [room.instance.id, room]));
  const { now } = ledger.ends;
  let startsAt = now;
  let nodes = 0;
  let idle = 0;
  for (const { instanceId, blocks } of shares) {
    const room = rooms.get(instanceId);
    const count = room ? Math.floor(blocks / room.blocks) : 0;
    const at = room?.times[count - 1];
    if (at === undefined) return null;
    idle += room?.times.filter((time) => time <= now).slice(0, count).length ?? 0;
    startsAt = Math.max(startsAt, at);
    nodes += count;
  }
  if (nodes < nodesNeeded(ledger, request)) return null;
  const start = afterWindows(ledger, fleet, request, { startsAt, shares, idle });
  return start && { fleet, ...start };
}

/** The start that windows of maintenance leave to the gang. */
function afterWindows<S extends Pick<PlannedStart, 'startsAt'>>(
  ledger: CapacityLedger,
  fleet: FleetRecord,
  request: GangRequest,
  start: S,
): S | null {
  const startsAt = ledger.windows.openFrom(fleet, request, start.startsAt);
  return startsAt === null ? null : { ...start, startsAt };
}

/** Whether a machine of the fleet is suitable at all: of machines that are alike, one is looked at. */
export function mayServe(
  ledger: CapacityLedger,
  fleet: FleetRecord,
  request: GangRequest,
): boolean {
  const [node] = request.nodes;
  if (!node) return false;
  for (const alike of ledger.alikeIn(fleet.id)) {
    const [sample] = alike.first(1);
    if (sample && ledger.shareFor(sample, node, request) !== null) return true;
  }
  return false;
}

function roomsIn(ledger: CapacityLedger, fleet: FleetRecord, request: GangRequest): Room[] {
  const [node] = request.nodes;
  const isUniform = request.nodes.every(({ kind }) => kind === node?.kind);
  if (!node || !isUniform || !isClusterFor(fleet, request)) return [];
  return looksAt(ledger, fleet, node, request)
    .filter(({ look }) => look.verdict === 'full' && look.findings.every(isTaken))
    .flatMap(({ first, size }) => first(size))
    .sort(byNumber)
    .flatMap((instance) => roomOn(ledger, instance, node, request) ?? []);
}

/** Whether a finding ends by itself: with the jobs on the instance, or with a window that has an end. */
const isTaken = ({ rule }: Finding): boolean =>
  rule === 'busy' || rule === 'held' || rule === 'maintenance';

function roomOn(
  ledger: CapacityLedger,
  instance: InstanceRecord,
  node: NodeRequest,
  request: GangRequest,
): Room | null {
  const total = instance.totalBlocks ?? 0;
  const share = ledger.shareFor(instance, node, request);
  // An instance that ends with its jobs is no place for others.
  const isKept = isUsable(instance) && isInstanceAvailable(instance.status);
  if (share === null || !isKept || instance.idleSeconds === 0 || ledger.isHeld(instance))
    return null;
  const isWhole = node.needs.multinode;
  const blocks = isWhole ? total : share.blocks;
  const free = total - ledger.busyFor(instance, { ...request, limit: null });
  const times: Timestamp[] = [];
  for (let wanted = blocks; blocks > 0 && wanted <= total; wanted += blocks) {
    const at = ledger.ends.freeAt(instance.id, free, wanted);
    if (at === null) break;
    times.push(at);
  }
  return { instance, blocks, times };
}

/** Nodes that communicate with each other are at one site. */
function sitesOf(rooms: readonly Room[], { nodes }: GangRequest): (readonly Room[])[] {
  if (!nodes[0]?.needs.multinode) return [rooms];
  return [
    ...Map.groupBy(rooms, ({ instance }) => `${instance.backend}/${instance.region}`).values(),
  ];
}

function startOn(
  rooms: readonly Room[],
  needed: number,
  now: Timestamp,
): Omit<PlannedStart, 'fleet'> | null {
  const times = rooms.flatMap((room) => room.times).sort((a, b) => a - b);
  const startsAt = times[needed - 1];
  if (startsAt === undefined) return null;
  const latest = rooms
    .map((room) => ({ ...room, times: room.times.filter((at) => at <= startsAt) }))
    .sort((a, b) => first(b) - first(a) || a.instance.instanceNum - b.instance.instanceNum);
  const shares: ReservedShare[] = [];
  let missing = needed;
  let idle = 0;
  for (const { instance, blocks, times: own } of latest) {
    const count = Math.min(missing, own.length);
    if (count > 0) shares.push({ instanceId: instance.id, blocks: count * blocks });
    idle += own.slice(0, Math.max(0, count)).filter((at) => at <= now).length;
    missing -= count;
  }
  return { startsAt, shares, idle };
}

const first = ({ times }: Room): number => times[0] ?? -Infinity;
