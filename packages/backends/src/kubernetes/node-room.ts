/** Free resources of each node, computed from its allocatable resources and the requests of its pods. */
import type { KubeNode, Pod, Quantities, Taint } from './api/objects.ts';
import { quantity } from './api/quantity.ts';
import { isGpuResource, type NodeGpus, nodeGpus } from './gpus.ts';

/** The kept part of a node. */
export interface NodeFacts {
  readonly name: string;
  readonly arch: 'x86' | 'arm' | null;
  readonly isReady: boolean;
  readonly isCordoned: boolean;
  /** Taints that keep pods away, or end them. */
  readonly taints: readonly Taint[];
  readonly gpus: NodeGpus | null;
  /** It has accelerators, though none that is known. */
  readonly hasUnknownGpus: boolean;
  readonly allocatable: Room;
}

/** The kept part of a pod: what it takes from its node. */
export interface PodUse {
  readonly node: string;
  readonly use: Room;
}

export interface Room {
  readonly cpus: number;
  readonly memoryMib: number;
  readonly diskMib: number;
  /** By resource. */
  readonly gpus: Readonly<Record<string, number>>;
}

const MIB = 2 ** 20;
const ARCHITECTURES = { amd64: 'x86', arm64: 'arm' } as const;

export function nodeFacts(node: KubeNode): NodeFacts {
  const { status, spec, metadata } = node;
  const arch = status?.nodeInfo?.architecture ?? '';
  const gpus = nodeGpus(node);
  const allocatable = roomOf(status?.allocatable ?? {});
  return {
    name: metadata.name,
    arch: ARCHITECTURES[arch as keyof typeof ARCHITECTURES] ?? null,
    isReady:
      status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') ?? true,
    isCordoned: spec?.unschedulable ?? false,
    taints: (spec?.taints ?? []).filter(({ effect }) => effect !== 'PreferNoSchedule'),
    gpus,
    hasUnknownGpus: gpus === null && Object.values(allocatable.gpus).some((count) => count > 0),
    allocatable,
  };
}

/** Null: it is on no node, or takes nothing any more. */
export function podUse({ spec, status }: Pod): PodUse | null {
  const isOver = status?.phase === 'Succeeded' || status?.phase === 'Failed';
  if (!spec?.nodeName || isOver) return null;
  const requests = (list: NonNullable<Pod['spec']>['containers'] = []) =>
    list.map(({ resources }) => roomOf(resources?.requests ?? {}));
  const isSidecar = ({ restartPolicy }: { readonly restartPolicy?: string }) =>
    restartPolicy === 'Always';
  const inits = spec.initContainers ?? [];
  const together = sum([
    ...requests(spec.containers),
    ...requests(inits.filter(isSidecar)),
    roomOf(spec.overhead ?? {}),
  ]);
  // Init containers run one by one before the others.
  const largest = requests(inits.filter((one) => !isSidecar(one))).reduce(maximum, NOTHING);
  return { node: spec.nodeName, use: maximum(together, largest) };
}

export const NOTHING: Room = { cpus: 0, memoryMib: 0, diskMib: 0, gpus: {} };

export function sum(rooms: readonly Room[]): Room {
  return rooms.reduce((a, b) => merged(a, b, (x, y) => x + y), NOTHING);
}

/** Never below 0: pods of the system may take more than was promised. */
export function left(of: Room, taken: Room): Room {
  return merged(of, taken, (x, y) => Math.max(0, x - y));
}

function maximum(a: Room, b: Room): Room {
  return merged(a, b, Math.max);
}

function merged(a: Room, b: Room, join: (x: number, y: number) => number): Room {
  const resources = new Set([...Object.keys(a.gpus), ...Object.keys(b.gpus)]);
  return {
    cpus: join(a.cpus, b.cpus),
    memoryMib: join(a.memoryMib, b.memoryMib),
    diskMib: join(a.diskMib, b.diskMib),
    gpus: Object.fromEntries(
      [...resources].map((one) => [one, join(a.gpus[one] ?? 0, b.gpus[one] ?? 0)]),
    ),
  };
}

function roomOf(list: Quantities): Room {
  return {
    cpus: quantity(list.cpu),
    memoryMib: quantity(list.memory) / MIB,
    diskMib: quantity(list['ephemeral-storage']) / MIB,
    gpus: Object.fromEntries(
      Object.entries(list)
        .filter(([resource]) => isGpuResource(resource))
        .map(([resource, text]) => [resource, quantity(text)]),
    ),
  };
}
